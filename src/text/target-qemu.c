/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's command line.  The model is "base": it has nothing that is not named, no defaults of an
 * accelerator, no versions, no caches of its own, and it is the only model of which QEMU promises
 * that it stays so.  So every wanted bit is named, no bit need be refused by name (a name that an
 * older QEMU does not know is fatal), and what a machine type would decide is pinned.  enforce
 * makes QEMU refuse to start rather than drop a bit.
 */
#include "text/target.h"

#include "core/qemu.h"

#include <string.h>

static void write_features(const struct evc_set *features, struct evc_sink *sink)
{
	const char *last = "";

	/* One property may stand for several bits; name it once. */
	EVC_SET_FOREACH(id, features)
	{
		const char *name = evc_feature_name_in(id, "qemu");

		if (strcmp(name, last) && !(id == EVC_F_KVMCLOCK2))
			evc_sink_printf(sink, ",%s=on", name);
		last = name;
	}
}

static void write_pins(unsigned qemu, struct evc_sink *sink)
{
	for (size_t i = 0; i < evc_n_qemu_pins; i++)
		if (evc_qemu_pins[i].since <= qemu)
			evc_sink_printf(sink, ",%s=%s", evc_qemu_pins[i].name, evc_qemu_pins[i].value);
}

void evc_target_qemu_cpu(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                         struct evc_sink *sink, struct evc_findings *findings)
{
	struct evc_set features = evc_target_expressible(cpu, options, findings);

	evc_sink_printf(sink, "base,vendor=%s,family=%u,model=%u,stepping=%u", cpu->vendor_id, cpu->family,
	                cpu->model, cpu->stepping);
	evc_sink_printf(sink, ",level=%u,xlevel=0x%x,level-func7=%u", cpu->max_basic, cpu->max_extended,
	                evc_target_level_func7(&features));
	evc_sink_printf(sink, ",model-id=%s", evc_target_brand(cpu, findings));
	write_features(&features, sink);
	if (evc_target_phys_bits(cpu, options))
		evc_sink_printf(sink, ",phys-bits=%u", evc_target_phys_bits(cpu, options));
	write_pins(options->qemu, sink);
	evc_sink_puts(sink, ",enforce=on");
}

static int write_qemu(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                      struct evc_sink *sink, struct evc_findings *findings, struct evc_error *err)
{
	if (options->signature)
		return evc_fail(err, EVC_ERR_USAGE,
		                "a named model's signature is for libvirt; QEMU takes any");
	evc_sink_printf(sink, "-machine %s -cpu '", evc_target_machine(options, findings->arena));
	evc_target_qemu_cpu(cpu, options, sink, findings);
	evc_sink_puts(sink, "'\n");
	return EVC_OK;
}

const struct evc_target evc_target_qemu = {
	.name = "qemu",
	.title = "QEMU command line",
	.write = write_qemu,
};
