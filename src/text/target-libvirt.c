/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt's domain XML.  libvirt has no element for family, model, stepping, highest leaves and
 * brand, and does not know QEMU's model "base".  So: the model kvm64, which every libvirt has and
 * which has few bits of its own; each wanted bit required, each of kvm64's unwanted ones disabled,
 * the vendor by vendor_id; and the numbers, the pins and bits that libvirt has no name for as
 * -global properties, which libvirt passes on, keeps on migration, and marks the domain
 * "custom-argv" for.  check='full' makes libvirt compare what the guest got with the list.
 *
 * With a named model's signature there is no -global: then the numbers are that model's.
 */
#include "text/target.h"

#include "core/qemu.h"

#include <string.h>

static const char *const base_model = "kvm64";

static void escape(const char *text, struct evc_sink *sink)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			evc_sink_puts(sink, "&amp;");
			break;
		case '<':
			evc_sink_puts(sink, "&lt;");
			break;
		case '\'':
			evc_sink_puts(sink, "&apos;");
			break;
		default:
			evc_sink_write(sink, text, 1);
		}
}

static void write_feature(const char *policy, enum evc_feature_id id, struct evc_sink *sink)
{
	evc_sink_printf(sink, "    <feature policy='%s' name='%s'/>\n", policy,
	                evc_feature_name_in(id, "libvirt"));
}

/* What libvirt has a name for it wants to see in its XML, and nothing that it has no name for. */
static bool libvirt_names(enum evc_feature_id id, const struct evc_target_options *options)
{
	return evc_libvirt_names(id,
	                         options->libvirt ? options->libvirt : evc_qemu_usual_libvirt(options->qemu));
}

static void write_cpu(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                      const struct evc_set *features, struct evc_sink *sink)
{
	evc_sink_printf(sink, "  <cpu mode='custom' match='exact' check='%s'>\n",
	                options->signature ? "partial" : "full");
	evc_sink_printf(sink, "    <model fallback='forbid' vendor_id='%s'>%s</model>\n", cpu->vendor_id,
	                options->signature ? options->signature : base_model);
	EVC_SET_FOREACH(id, features)
	if (libvirt_names(id, options))
		write_feature("require", id, sink);
	if (!options->signature)
		EVC_SET_FOREACH(id, &evc_qemu_libvirt_base)
	if (!evc_set_has(features, id))
		write_feature("disable", id, sink);
	evc_sink_puts(sink, "  </cpu>\n");
}

static void write_global(const char *name, const char *value, struct evc_sink *sink)
{
	evc_sink_puts(sink, "    <qemu:arg value='-global'/>\n    <qemu:arg value='x86_64-cpu.");
	escape(name, sink);
	evc_sink_puts(sink, "=");
	escape(value, sink);
	evc_sink_puts(sink, "'/>\n");
}

static void write_number(const char *name, const char *format, unsigned value, struct evc_arena *arena,
                         struct evc_sink *sink)
{
	const char *text = format[0] == 'x' ? evc_arena_printf(arena, "0x%x", value)
	                                    : evc_arena_printf(arena, "%u", value);

	write_global(name, text ? text : "", sink);
}

static void write_commandline(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                              const struct evc_set *features, struct evc_sink *sink,
                              struct evc_findings *findings)
{
	struct evc_arena *arena = findings->arena;

	evc_sink_puts(sink, "  <qemu:commandline>\n");
	write_number("family", "u", cpu->family, arena, sink);
	write_number("model", "u", cpu->model, arena, sink);
	write_number("stepping", "u", cpu->stepping, arena, sink);
	write_number("level", "u", cpu->max_basic, arena, sink);
	write_number("xlevel", "x", cpu->max_extended, arena, sink);
	write_number("level-func7", "u", evc_target_level_func7(features), arena, sink);
	if (evc_target_phys_bits(cpu, options))
		write_number("phys-bits", "u", evc_target_phys_bits(cpu, options), arena, sink);
	write_global("model-id", evc_target_brand(cpu, findings), sink);
	EVC_SET_FOREACH(id, features)
	if (!libvirt_names(id, options) && id != EVC_F_KVMCLOCK2)
		write_global(evc_feature_name_in(id, "qemu"), "on", sink);
	for (size_t i = 0; i < evc_n_qemu_pins; i++)
		if (evc_qemu_pins[i].since <= options->qemu)
			write_global(evc_qemu_pins[i].name, evc_qemu_pins[i].value, sink);
	evc_sink_puts(sink, "  </qemu:commandline>\n");
}

/* What is different when libvirt's own model gives the numbers. */
static void say_differences(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                            const struct evc_set *features, struct evc_findings *findings)
{
	struct evc_finding finding = { .kind = EVC_FINDING_TARGET_LOSS,
		                       .severity = EVC_WARNING,
		                       .feature = EVC_N_FEATURES,
		                       .subject = cpu->mode,
		                       .other = "libvirt" };

	finding.detail = evc_arena_printf(
		findings->arena,
		"family, model, stepping, highest leaves and brand are those of %s, not %u/%u/%u, 0x%x and 0x%x; "
		"they follow its version in QEMU and the machine type",
		options->signature, cpu->family, cpu->model, cpu->stepping, cpu->max_basic,
		cpu->max_extended);
	evc_findings_add(findings, finding);
	finding.detail = evc_arena_printf(
		findings->arena,
		"bits that %s has and the mode has not are shown too: libvirt is not told to hide them",
		options->signature);
	evc_findings_add(findings, finding);
	EVC_SET_FOREACH(id, features)
	{
		if (libvirt_names(id, options) || evc_features[id].bit.leaf >> 16 == 0x4000)
			continue;
		finding.feature = id;
		finding.detail = "libvirt has no name for it";
		evc_findings_add(findings, finding);
	}
}

static void begin_domain(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                         struct evc_arena *arena, struct evc_sink *sink)
{
	evc_sink_printf(sink, "<domain type='%s' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n",
	                options->accel == EVC_ACCEL_TCG ? "qemu" : "kvm");
	evc_sink_printf(sink, "  <name>%s</name>\n  <memory unit='MiB'>256</memory>\n  <vcpu>1</vcpu>\n",
	                cpu->mode);
	evc_sink_printf(sink, "  <os>\n    <type arch='x86_64' machine='%s'>hvm</type>\n  </os>\n",
	                evc_target_machine(options, arena));
	evc_sink_puts(sink, "  <features>\n    <acpi/>\n    <apic/>\n  </features>\n");
}

static int write_libvirt(const struct evc_target_cpu *cpu, const struct evc_target_options *options,
                         struct evc_sink *sink, struct evc_findings *findings, struct evc_error *err)
{
	struct evc_set features = evc_target_expressible(cpu, options, findings);

	(void)err;
	if (options->domain)
		begin_domain(cpu, options, findings->arena, sink);
	write_cpu(cpu, options, &features, sink);
	if (options->signature)
		say_differences(cpu, options, &features, findings);
	else
		write_commandline(cpu, options, &features, sink, findings);
	if (options->domain)
		evc_sink_puts(sink, "</domain>\n");
	return EVC_OK;
}

const struct evc_target evc_target_libvirt = {
	.name = "libvirt",
	.title = "libvirt domain XML",
	.write = write_libvirt,
};
