/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What decides beside CPUID, and what is assumed of it where nobody says.
 *
 * An MSR is answered by the first of: what the caller says, what the dump holds, what the hypervisor usually
 * answers.  The last is an assumption, and whatever rests on it says so.
 */
#include "core/linux-private.h"

#include <string.h>

static const char *const input_names[EVC_LINUX_N_INPUTS] = {
	[EVC_LINUX_BY_PLATFORM] = "hypervisor",
	[EVC_LINUX_BY_OPTIONS] = "boot options and configuration",
	[EVC_LINUX_BY_SHAPE] = "shape",
	[EVC_LINUX_BY_CLOCK] = "clock",
	[EVC_LINUX_BY_MICROCODE] = "msr:8b",
	[EVC_LINUX_BY_ARCH_CAP] = "msr:10a",
	[EVC_LINUX_BY_MISC] = "msr:1a0",
	[EVC_LINUX_BY_FEAT_CTL] = "msr:3a",
	[EVC_LINUX_BY_VMX] = "msr:480",
	[EVC_LINUX_BY_FAULTING] = "msr:140",
	[EVC_LINUX_BY_PPIN] = "msr:4e",
	[EVC_LINUX_BY_LS_CFG] = "msr:c0011020",
	[EVC_LINUX_BY_VM_CR] = "msr:c0010114",
	[EVC_LINUX_BY_SYSCFG] = "msr:c0010010",
	[EVC_LINUX_BY_OSVW] = "msr:c0010140",
	[EVC_LINUX_BY_TME] = "msr:982",
	[EVC_LINUX_BY_MSR] = "an MSR",
	[EVC_LINUX_BY_DEVICE] = "a device of the processor",
	[EVC_LINUX_BY_RUNTIME] = "what happens while it runs",
};

static const char *const platform_names[EVC_LINUX_N_PLATFORMS] = {
	[EVC_LINUX_PLATFORM_AUTO] = "auto",
	[EVC_LINUX_BARE] = "bare",
	[EVC_LINUX_KVM] = "kvm",
	[EVC_LINUX_TCG] = "tcg",
	[EVC_LINUX_VMWARE] = "vmware",
	[EVC_LINUX_HYPERV] = "hyperv",
	[EVC_LINUX_XEN] = "xen",
	[EVC_LINUX_OTHER] = "other",
};

const char *evc_linux_input_name(enum evc_linux_input input)
{
	return input_names[input];
}

const char *evc_linux_platform_name(enum evc_linux_platform platform)
{
	return platform_names[platform];
}

static int no_number(struct evc_span key, struct evc_span value, struct evc_error *err)
{
	return evc_fail(err, EVC_ERR_USAGE, "%.*s=%.*s: not a number, decimal or 0x…", (int)key.length,
	                key.text, (int)(value.length < 40 ? value.length : 40), value.text);
}

static int set_number(struct evc_span key, struct evc_span value, uint32_t *ret, struct evc_error *err)
{
	uint64_t number;

	if (!evc_span_number(value, UINT32_MAX, &number))
		return no_number(key, value, err);
	*ret = (uint32_t)number;
	return 0;
}

static int put_msr(struct evc_linux_env *env, const struct evc_linux_msr *msr, struct evc_error *err)
{
	for (unsigned i = 0; i < env->n_msrs; i++)
		if (env->msrs[i].index == msr->index) {
			env->msrs[i] = *msr;
			return 0;
		}
	if (env->n_msrs == EVC_LINUX_MAX_MSRS)
		return evc_fail(err, EVC_ERR_USAGE, "more than %u MSRs", EVC_LINUX_MAX_MSRS);
	env->msrs[env->n_msrs++] = *msr;
	return 0;
}

/* msr.0x10a=0x4, msr.10a=fault */
static int set_msr(struct evc_linux_env *env, struct evc_span key, struct evc_span value,
                   struct evc_error *err)
{
	struct evc_linux_msr msr = { .known = UINT64_MAX };
	struct evc_span index = key;
	uint64_t number;

	evc_span_skip(&index, "msr.");
	evc_span_skip(&index, "0x");
	if (!evc_span_hex(&index, &number) || index.length || number > UINT32_MAX)
		return evc_fail(err, EVC_ERR_USAGE, "%.*s: not an MSR: msr.0x10a", (int)key.length, key.text);
	msr.index = (uint32_t)number;
	msr.faults = evc_span_equals(value, "fault");
	if (!msr.faults && !evc_span_number(value, UINT64_MAX, &msr.value))
		return no_number(key, value, err);
	return put_msr(env, &msr, err);
}

/* Intel has the revision in the upper half, AMD in the lower one. */
static int set_microcode(struct evc_linux_env *env, struct evc_span key, struct evc_span value,
                         struct evc_error *err)
{
	struct evc_linux_msr msr = { .index = 0x8b, .known = UINT64_MAX };
	uint32_t revision;
	int status = set_number(key, value, &revision, err);

	if (status < 0)
		return status;
	msr.value = (uint64_t)revision << 32 | revision;
	return put_msr(env, &msr, err);
}

static int set_platform(struct evc_linux_env *env, struct evc_span value, struct evc_error *err)
{
	for (unsigned i = 0; i < EVC_LINUX_N_PLATFORMS; i++)
		if (evc_span_equals(value, platform_names[i])) {
			env->platform = (enum evc_linux_platform)i;
			return 0;
		}
	return evc_fail(err, EVC_ERR_USAGE,
	                "hypervisor=%.*s: one of auto bare kvm tcg vmware hyperv xen other",
	                (int)(value.length < 40 ? value.length : 40), value.text);
}

static int set_cmdline(struct evc_linux_env *env, struct evc_span value, struct evc_error *err)
{
	if (value.length >= sizeof(env->cmdline))
		return evc_fail(err, EVC_ERR_USAGE, "cmdline: more than %zu characters",
		                sizeof(env->cmdline) - 1);
	memcpy(env->cmdline, value.text, value.length);
	env->cmdline[value.length] = '\0';
	env->has_cmdline = true;
	return 0;
}

/* "4" or "4,sockets=1,cores=2,threads=2" */
static int set_shape(struct evc_linux_env *env, struct evc_span value, struct evc_error *err)
{
	const struct {
		const char *name;
		uint32_t *place;
	} parts[] = { { .name = "cpus=", .place = &env->cpus },
		      { .name = "sockets=", .place = &env->sockets },
		      { .name = "cores=", .place = &env->cores },
		      { .name = "threads=", .place = &env->threads } };
	struct evc_span rest = value;

	for (bool first = true; rest.length || first; first = false) {
		uint32_t *place = first ? &env->cpus : NULL;
		uint64_t number;

		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (evc_span_skip(&rest, parts[i].name)) {
				place = parts[i].place;
				break;
			}
		if (!place || !evc_span_decimal(&rest, &number) || !number || number > EVC_MAX_CPUS ||
		    (rest.length && !evc_span_skip(&rest, ",")))
			return evc_fail(err, EVC_ERR_USAGE,
			                "smp=%.*s: not N[,sockets=N][,cores=N][,threads=N]",
			                (int)(value.length < 60 ? value.length : 60), value.text);
		*place = (uint32_t)number;
	}
	return 0;
}

int evc_linux_env_set(struct evc_linux_env *env, struct evc_span setting, struct evc_error *err)
{
	struct evc_span key = setting, value = setting;

	while (value.length && value.text[0] != '=') {
		value.text++;
		value.length--;
	}
	key.length -= value.length;
	if (!evc_span_skip(&value, "="))
		return evc_fail(err, EVC_ERR_USAGE, "%.*s: not KEY=VALUE",
		                (int)(key.length < 60 ? key.length : 60), key.text);
	if (evc_span_equals(key, "hypervisor"))
		return set_platform(env, value, err);
	if (evc_span_starts(key, "msr."))
		return set_msr(env, key, value, err);
	if (evc_span_skip(&key, "config."))
		return evc_linux_config_set(env, key, value, err);
	if (evc_span_equals(key, "cmdline"))
		return set_cmdline(env, value, err);
	if (evc_span_equals(key, "tsc-khz"))
		return set_number(key, value, &env->tsc_khz, err);
	if (evc_span_equals(key, "microcode"))
		return set_microcode(env, key, value, err);
	if (evc_span_equals(key, "smp"))
		return set_shape(env, value, err);
	return evc_fail(err, EVC_ERR_USAGE,
	                "%.*s: unknown; one of hypervisor msr.N cmdline config.NAME tsc-khz microcode smp",
	                (int)(key.length < 40 ? key.length : 40), key.text);
}
