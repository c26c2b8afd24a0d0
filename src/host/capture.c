/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUID answers for the CPU that executes it, so the thread is pinned to one after the other and
 * goes back to where it was allowed before.  A machine may have CPUs of several kinds (cores that
 * save power, another stepping in the second socket); of each kind one dump is kept, with the
 * number of CPUs that are like it.
 *
 * Which MSRs are worth reading the features say: all that have a feature in them.
 */
#include "host/capture.h"

#include "core/alike.h"
#include "core/cpu.h"
#include "host/cpuid.h"
#include "host/facts.h"
#include "host/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct capture {
	struct evc_arena *arena;
	const struct evc_capture_options *options;
	struct evc_findings *findings;
	struct evc_host host;
	struct evc_dump *kinds;
	size_t n_kinds, size_kinds;
	unsigned n_missed;     /* CPUs to which the thread could not be pinned */
	unsigned n_msr_denied; /* CPUs whose MSRs could not be opened */
	int msr_error;
};

static void say(struct capture *capture, enum evc_severity severity, const char *detail)
{
	evc_findings_add(
		capture->findings,
		(struct evc_finding){ .kind = severity == EVC_NOTE ? EVC_FINDING_NOTE : EVC_FINDING_RISK,
	                              .severity = severity,
	                              .feature = EVC_N_FEATURES,
	                              .subject = capture->host.name,
	                              .detail = detail });
}

/* Every MSR that holds a feature, each once: features are sorted by place. */
static void read_msrs(struct capture *capture, struct evc_dump_builder *builder, uint32_t cpu)
{
	char *path = evc_arena_printf(capture->arena, "/dev/cpu/%u/msr", cpu);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	uint32_t last = 0;
	bool any = false;

	if (fd < 0) {
		capture->n_msr_denied++;
		capture->msr_error = errno;
		return;
	}
	for (unsigned id = 0; id < EVC_N_FEATURES; id++) {
		struct evc_bit bit = evc_features[id].bit;
		uint64_t value;

		if (bit.reg != EVC_MSR || (any && bit.leaf == last))
			continue;
		any = true;
		last = bit.leaf;
		if (pread(fd, &value, sizeof(value), bit.leaf) == (ssize_t)sizeof(value))
			evc_dump_set_msr(builder, bit.leaf, value, UINT64_MAX);
	}
	close(fd);
}

/* One more of a kind that was seen, or a new kind. */
static void fold(struct capture *capture, const struct evc_dump *dump)
{
	struct evc_dump *kinds;

	for (size_t i = 0; i < capture->n_kinds && !capture->options->each; i++)
		if (evc_dump_alike(&capture->kinds[i], dump)) {
			capture->kinds[i].n_alike++;
			return;
		}
	kinds = evc_arena_room(capture->arena, capture->kinds, capture->n_kinds, &capture->size_kinds, 4,
	                       sizeof(*kinds));
	if (!kinds)
		return;
	capture->kinds = kinds;
	capture->kinds[capture->n_kinds++] = *dump;
}

/* A leaf from the device, whose position is leaf and subleaf; what it refuses is zero. */
static void ask_device(void *context, uint32_t leaf, uint32_t subleaf, uint32_t value[static 4])
{
	const int *fd = context;
	uint32_t answer[4] = { 0 };

	if (pread(*fd, answer, sizeof(answer), (off_t)((uint64_t)subleaf << 32 | leaf)) != sizeof(answer))
		memset(answer, 0, sizeof(answer));
	memcpy(value, answer, sizeof(answer));
}

/* What the kernel is given; false where the device cannot be read. */
static bool read_device(struct capture *capture, struct evc_dump_builder *builder, uint32_t cpu)
{
	char *path = evc_arena_printf(capture->arena, "/dev/cpu/%u/cpuid", cpu);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	uint32_t first[4];

	if (fd < 0)
		return false;
	if (pread(fd, first, sizeof(first), 0) != sizeof(first)) {
		close(fd);
		return false;
	}
	evc_cpuid_read_by(builder, ask_device, &fd);
	close(fd);
	return true;
}

/* The CPU that this thread is on now. */
static int read_here(struct capture *capture, uint32_t cpu, struct evc_error *err)
{
	struct evc_dump_builder builder;
	struct evc_dump dump;
	int status;

	evc_dump_begin(&builder, capture->arena);
	if (!capture->options->kernels || !read_device(capture, &builder, cpu))
		evc_cpuid_read(&builder);
	if (!capture->options->fast)
		read_msrs(capture, &builder, cpu);
	status = evc_dump_finish(&builder, &dump, err);
	if (status < 0)
		return status;
	dump.cpu = cpu;
	fold(capture, &dump);
	return EVC_OK;
}

static bool is_online(uint32_t cpu)
{
	char path[64];

	/* CPUs that cannot be switched off have no such file; neither have those that do not exist. */
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u", cpu);
	if (access(path, F_OK))
		return false;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);

	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text = '1';

	if (fd < 0)
		return true;
	if (read(fd, &text, 1) != 1)
		text = '0';
	close(fd);
	return text == '1';
}

/* CPUs are numbered below this: as configured, or as this process may use them where /sys is not mounted. */
static uint32_t cpu_limit(const cpu_set_t *usable, size_t size)
{
	long configured = sysconf(_SC_NPROCESSORS_CONF);
	uint32_t limit = configured > 0 ? (uint32_t)configured : 0;

	for (uint32_t cpu = 0; cpu < EVC_MAX_CPUS; cpu++)
		if (CPU_ISSET_S(cpu, size, usable) && cpu >= limit)
			limit = cpu + 1;
	return limit < EVC_MAX_CPUS ? limit : EVC_MAX_CPUS;
}

static int read_pinned(struct capture *capture, const cpu_set_t *usable, cpu_set_t *mask, size_t size,
                       struct evc_error *err)
{
	uint32_t limit = cpu_limit(usable, size);
	int status = EVC_OK;

	for (uint32_t cpu = 0; cpu < limit && status == EVC_OK; cpu++) {
		if (!CPU_ISSET_S(cpu, size, usable) && !is_online(cpu))
			continue;
		CPU_ZERO_S(size, mask);
		CPU_SET_S(cpu, size, mask);
		if (sched_setaffinity(0, size, mask)) {
			capture->n_missed++;
			continue;
		}
		status = read_here(capture, cpu, err);
	}
	return status;
}

/* Every logical CPU in turn; where the thread may run afterwards is as before. */
static int read_all(struct capture *capture, struct evc_error *err)
{
	size_t size = CPU_ALLOC_SIZE(EVC_MAX_CPUS);
	cpu_set_t *before = evc_arena_alloc(capture->arena, size),
		  *mask = evc_arena_alloc(capture->arena, size);
	int status;

	if (!before || !mask)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (sched_getaffinity(0, size, before))
		return evc_fail(err, EVC_ERR_IO, "sched_getaffinity: %s", strerror(errno));
	status = read_pinned(capture, before, mask, size, err);
	sched_setaffinity(0, size, before);
	return status;
}

static void say_cpus(struct capture *capture)
{
	if (capture->n_missed) {
		capture->host.reading = EVC_PARTIAL;
		(void)evc_fail(&capture->host.error, EVC_ERR_IO,
		               "%u logical CPUs may not be used by this process", capture->n_missed);
		say(capture, EVC_DOUBT,
		    evc_arena_printf(capture->arena,
		                     "%u logical CPUs may not be used by this process and were not seen",
		                     capture->n_missed));
	}
	if (capture->n_msr_denied)
		say(capture, EVC_NOTE,
		    evc_arena_printf(capture->arena, "MSRs were not read: /dev/cpu/%u/msr: %s%s",
		                     capture->kinds ? capture->kinds[0].cpu : 0, strerror(capture->msr_error),
		                     capture->msr_error == ENOENT ? " (modprobe msr)"
		                                                  : " (root may read them)"));
}

static const char *names_of(struct evc_arena *arena, const struct evc_set *set)
{
	const char *text = "";

	EVC_SET_FOREACH(id, set)
	{
		text = evc_arena_printf(arena, "%s%s%s", text, *text ? " " : "", evc_features[id].name);
		if (!text)
			return "";
	}
	return text;
}

static int read_kvm(struct capture *capture, struct evc_error *err)
{
	struct evc_kvm *kvm = evc_arena_alloc(capture->arena, sizeof(*kvm));
	struct evc_error error = { 0 };
	int status;

	if (!kvm)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_kvm_read(capture->arena, kvm, &error);
	if (status == EVC_ERR_MEMORY)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (status < 0) {
		say(capture, EVC_WARNING,
		    evc_arena_printf(capture->arena,
		                     "KVM was not asked what it offers (%s); it will be predicted",
		                     error.text));
		return EVC_OK;
	}
	capture->host.kvm = &kvm->supported;
	if (kvm->has_emulated)
		capture->host.kvm_emulated = &kvm->emulated;
	capture->host.facts.tsc_khz = kvm->tsc_khz;
	if (kvm->trusted == EVC_NO)
		say(capture, EVC_WARNING,
		    evc_arena_printf(
			    capture->arena,
			    "this KVM shows a guest what was masked (%s): levelling cannot be trusted here",
			    names_of(capture->arena, &kvm->overridden)));
	else if (kvm->trusted == EVC_UNKNOWN)
		say(capture, EVC_NOTE, "whether this KVM keeps to a mask could not be tried");
	return EVC_OK;
}

static const char *host_name(struct evc_arena *arena)
{
	char name[256] = "";

	if (gethostname(name, sizeof(name) - 1) || !*name)
		return "localhost";
	return evc_arena_string(arena, name, strlen(name));
}

int evc_capture(struct evc_arena *arena, const struct evc_capture_options *options, struct evc_host *ret_host,
                struct evc_findings *findings, struct evc_error *err)
{
	static const struct evc_capture_options whole = { 0 };
	struct capture capture = { .arena = arena,
		                   .options = options ? options : &whole,
		                   .findings = findings };
	int status;

	capture.host = (struct evc_host){ .name = capture.options->name, .format = "capture" };
	if (!capture.host.name)
		capture.host.name = host_name(arena);
	if (capture.options->fast) {
		status = read_here(&capture, (uint32_t)sched_getcpu(), err);
	} else {
		evc_facts_read(capture.host.name, !capture.options->no_programs, &capture.host.facts,
		               findings);
		status = read_all(&capture, err);
		say_cpus(&capture);
	}
	if (status == EVC_OK && !capture.options->fast && !capture.options->no_kvm)
		status = read_kvm(&capture, err);
	if (status < 0)
		return status;
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (!capture.n_kinds)
		return evc_fail(err, EVC_ERR_IO, "no logical CPU could be read");
	capture.host.cpus = capture.kinds;
	capture.host.n_cpus = capture.n_kinds;
	*ret_host = capture.host;
	return EVC_OK;
}
