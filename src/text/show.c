/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/show.h"

#include "core/generation.h"
#include "core/hypervisor.h"
#include "text/report.h"

#include <stdio.h>
#include <string.h>

enum { COLUMN = 14 };

static unsigned field(enum evc_feature_id id, uint32_t eax)
{
	return (unsigned)evc_bit_get(evc_features[id].bit, eax);
}

struct evc_show_signature evc_show_signature(uint32_t eax)
{
	return (struct evc_show_signature){
		.stepping = field(EVC_F_STEPPING, eax),
		.model = field(EVC_F_BASE_MODEL, eax),
		.family = field(EVC_F_BASE_FAMILY_ID, eax),
		.type = field(EVC_F_CPU_TYPE, eax),
		.extended_model = field(EVC_F_EXT_MODEL, eax),
		.extended_family = field(EVC_F_EXT_FAMILY, eax),
	};
}

void evc_show_prepare(const struct evc_host *host, const struct evc_modes *modes,
                      const struct evc_offer *offer, struct evc_show *ret_show)
{
	ret_show->host = host;
	ret_show->modes = modes;
	ret_show->offer = offer;
	if (offer)
		ret_show->all = offer->silicon;
	else
		evc_cpu_decode_host(host, &ret_show->all);
	if (host->n_cpus > 1)
		evc_cpu_decode(&host->cpus[0], &ret_show->first);
	else
		ret_show->first = ret_show->all;
}

void evc_show_modes(const struct evc_modes *modes, const struct evc_cpu *cpu, bool psabi,
                    const struct evc_mode **ret_best, const struct evc_mode **ret_next)
{
	const struct evc_mode *best = NULL, *next = NULL;
	int fewest = 0;

	for (size_t i = 0; i < modes->n; i++) {
		const struct evc_mode *mode = modes->items[i];

		if ((mode->vendors == EVC_VENDOR_ANY) != psabi || !(mode->vendors & cpu->vendor))
			continue;
		if (evc_mode_satisfied(mode, 1, cpu, NULL, NULL) != EVC_YES)
			continue;
		if (!best || evc_mode_covers(mode, best))
			best = mode;
	}
	/* The next is the first above the best; where there is none, the one of which the least is missing.
	 */
	for (size_t i = 0; i < modes->n && !(best && next); i++) {
		const struct evc_mode *mode = modes->items[i];
		struct evc_set lacks, unsure;
		int n;

		if ((mode->vendors == EVC_VENDOR_ANY) != psabi || !(mode->vendors & cpu->vendor) ||
		    (best && !evc_mode_covers(mode, best)) ||
		    evc_mode_satisfied(mode, 1, cpu, &lacks, &unsure) == EVC_YES)
			continue;
		n = best ? 0 : evc_set_count(&lacks) + evc_set_count(&unsure);
		if (next && n >= fewest)
			continue;
		next = mode;
		fewest = n;
	}
	*ret_best = best;
	*ret_next = next;
}

static void put_label(const char *label, struct evc_sink *out)
{
	evc_sink_puts(out, label);
	evc_sink_pad(out, COLUMN - (int)strlen(label));
}

/* Words with a label before the first line and blanks before the others. */
static void put_set(const char *label, const struct evc_set *set, struct evc_sink *out)
{
	struct evc_sink text = { 0 };

	evc_report_set(set, COLUMN, &text);
	put_label(label, out);
	if (text.length > COLUMN)
		evc_sink_puts(out, text.text + COLUMN);
	evc_sink_free(&text);
}

static void put_signature(const struct evc_cpu *cpu, struct evc_sink *out)
{
	static const struct {
		const char *name;
		enum evc_feature_id id;
	} rows[] = {
		{ .name = "stepping", .id = EVC_F_STEPPING },
		{ .name = "model", .id = EVC_F_BASE_MODEL },
		{ .name = "family", .id = EVC_F_BASE_FAMILY_ID },
		{ .name = "type", .id = EVC_F_CPU_TYPE },
		{ .name = "extended model", .id = EVC_F_EXT_MODEL },
		{ .name = "extended family", .id = EVC_F_EXT_FAMILY },
	};
	struct evc_show_signature parts = evc_show_signature(cpu->signature);

	put_label("signature", out);
	if (!cpu->identified) {
		evc_sink_puts(out, "not known\n");
		return;
	}
	evc_sink_printf(out, "%08x: family %u, model %u, stepping %u\n", cpu->signature, cpu->family,
	                cpu->model, cpu->stepping);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct evc_bit bit = evc_features[rows[i].id].bit;

		evc_sink_pad(out, COLUMN);
		evc_sink_printf(out, "bits %2u..%-2u  %-16s %x\n", bit.hi, bit.lo, rows[i].name,
		                field(rows[i].id, cpu->signature));
	}
	evc_sink_pad(out, COLUMN);
	if (cpu->family != parts.family)
		evc_sink_printf(out, "family %u + %u = %u", parts.family, parts.extended_family, cpu->family);
	else
		evc_sink_printf(out, "family %u", cpu->family);
	if (cpu->model != parts.model)
		evc_sink_printf(out, ", model %u * 16 + %u = %u\n", parts.extended_model, parts.model,
		                cpu->model);
	else
		evc_sink_printf(out, ", model %u\n", cpu->model);
}

static void put_identity(const struct evc_show *show, struct evc_sink *out)
{
	const struct evc_cpu *cpu = &show->first;
	const struct evc_generation *generation = evc_generation_find(cpu);
	const char *hypervisor = evc_hypervisor_name(cpu->hypervisor);

	evc_sink_printf(out, "%-*s%s\n", COLUMN, "host", show->host->name);
	evc_sink_printf(out, "%-*s%s\n", COLUMN, "brand", cpu->brand[0] ? cpu->brand : "not known");
	evc_sink_printf(out, "%-*s%s\n", COLUMN, "vendor", cpu->vendor_id[0] ? cpu->vendor_id : "not known");
	put_label("generation", out);
	if (generation)
		evc_sink_printf(out, "%s: %s (%s, %s)\n", generation->uarch, generation->product,
		                generation->segment, generation->year);
	else
		evc_sink_puts(out, "not known\n");
	put_signature(cpu, out);
	put_label("hypervisor", out);
	if (evc_cpu_truth(cpu, EVC_F_HYPERVISOR) == EVC_ABSENT)
		evc_sink_puts(out, "none\n");
	else if (hypervisor)
		evc_sink_printf(out, "%s (\"%s\")\n", hypervisor, cpu->hypervisor);
	else if (cpu->hypervisor[0])
		evc_sink_printf(out, "\"%s\"\n", cpu->hypervisor);
	else
		evc_sink_puts(out, evc_cpu_truth(cpu, EVC_F_HYPERVISOR) == EVC_PRESENT
		                           ? "one that does not say its name\n"
		                           : "not known\n");
}

/* "mode          intel-skylake", what the next one lacks and what nobody knows. */
static void put_level(const char *label, const struct evc_modes *modes, const struct evc_cpu *cpu, bool psabi,
                      struct evc_sink *out)
{
	const struct evc_mode *best, *next;
	struct evc_set lacks, unsure;

	evc_show_modes(modes, cpu, psabi, &best, &next);
	put_label(label, out);
	if (best && best->n_versions > 1)
		evc_sink_printf(out, "%s, version %u of %zu\n", best->key, evc_mode_best_version(best, cpu),
		                best->n_versions);
	else
		evc_sink_printf(out, "%s\n", best ? best->key : "none");
	if (!next)
		return;
	evc_mode_satisfied(next, 1, cpu, &lacks, &unsure);
	evc_sink_pad(out, COLUMN);
	evc_sink_printf(out, "for %s:\n", next->key);
	if (!evc_set_is_empty(&lacks))
		put_set("  it lacks", &lacks, out);
	if (!evc_set_is_empty(&unsure))
		put_set("  not known", &unsure, out);
}

static void put_levels(const struct evc_show *show, struct evc_sink *out)
{
	static const char *const basis[] = {
		[EVC_OFFER_MEASURED] = "as KVM said itself",
		[EVC_OFFER_PREDICTED] = "predicted: KVM was not asked",
		[EVC_OFFER_GIVEN] = "as this CPU shows it",
	};

	put_level("mode", show->modes, &show->all, false, out);
	put_level("psABI", show->modes, &show->all, true, out);
	if (!show->offer)
		return;
	evc_sink_printf(out, "%-*s%s\n", COLUMN, "guests have", basis[show->offer->basis]);
	if (show->offer->basis != EVC_OFFER_GIVEN)
		put_level("  mode", show->modes, &show->offer->cpu, false, out);
}

static void put_sizes(const struct evc_show *show, struct evc_sink *out)
{
	uint64_t physical, virtual;

	put_label("addresses", out);
	if (evc_cpu_value(&show->all, EVC_F_PHYS_ADDR_BITS, &physical) &&
	    evc_cpu_value(&show->all, EVC_F_VIRT_ADDR_BITS, &virtual))
		evc_sink_printf(out, "%u bits physical, %u bits virtual\n", (unsigned)physical,
		                (unsigned)virtual);
	else
		evc_sink_puts(out, "not known\n");
	evc_sink_printf(out, "%-*sbasic %x, extended %x", COLUMN, "highest leaf", show->first.max_basic,
	                show->first.max_extended);
	if (show->first.max_hypervisor)
		evc_sink_printf(out, ", hypervisor %x", show->first.max_hypervisor);
	evc_sink_puts(out, "\n");
}

static void put_facts(const struct evc_host *host, struct evc_sink *out)
{
	const struct {
		const char *label, *text;
	} rows[] = {
		{ .label = "kernel", .text = host->facts.kernel },
		{ .label = "firmware", .text = host->facts.firmware },
		{ .label = "KVM", .text = host->facts.kvm_module },
		{ .label = "KVM options", .text = host->facts.kvm_options },
		{ .label = "QEMU", .text = host->facts.qemu },
	};

	if (host->facts.microcode)
		evc_sink_printf(out, "%-*s0x%x\n", COLUMN, "microcode", host->facts.microcode);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].text && rows[i].text[0])
			evc_sink_printf(out, "%-*s%s\n", COLUMN, rows[i].label, rows[i].text);
}

/* Hybrid CPUs: what each kind has that the others have not; a guest's vCPU can count on what all have. */
static void put_kinds(const struct evc_show *show, struct evc_sink *out)
{
	for (size_t i = 0; i < show->host->n_cpus && show->host->n_cpus > 1; i++) {
		const struct evc_dump *dump = &show->host->cpus[i];
		struct evc_cpu cpu;
		struct evc_set more;

		evc_cpu_decode(dump, &cpu);
		more = evc_set_minus(&cpu.has, &show->all.has);
		more = evc_set_and(&more, &evc_rule_sets[EVC_RULE_AND]);
		evc_sink_printf(out, "%-*s%u CPU%s like CPU %u, signature %08x\n", COLUMN,
		                i ? "" : "kinds of CPU", dump->n_alike, dump->n_alike == 1 ? "" : "s",
		                dump->cpu, cpu.signature);
		if (!evc_set_is_empty(&more))
			put_set("  has alone", &more, out);
	}
}

void evc_show_text(const struct evc_show *show, struct evc_sink *out)
{
	struct evc_show_group groups[EVC_SHOW_GROUPS];

	put_identity(show, out);
	put_levels(show, out);
	put_sizes(show, out);
	put_facts(show->host, out);
	put_kinds(show, out);
	evc_sink_puts(out, "\nfeatures\n");
	evc_show_groups(&show->all, groups);
	for (unsigned i = 0; i < EVC_SHOW_GROUPS; i++) {
		if (evc_set_is_empty(&groups[i].set))
			continue;
		evc_sink_printf(out, "  %s\n", groups[i].name);
		evc_report_set(&groups[i].set, 4, out);
	}
}

static json_t *level_json(const struct evc_modes *modes, const struct evc_cpu *cpu, bool psabi)
{
	const struct evc_mode *best, *next;
	struct evc_set lacks = { 0 }, unsure = { 0 };
	json_t *object;

	evc_show_modes(modes, cpu, psabi, &best, &next);
	if (next)
		evc_mode_satisfied(next, 1, cpu, &lacks, &unsure);
	object = json_pack("{s:s?, s:s?, s:o, s:o}", "mode", best ? best->key : NULL, "next",
	                   next ? next->key : NULL, "lacks", evc_report_set_json(&lacks), "unsure",
	                   evc_report_set_json(&unsure));
	if (best)
		json_object_set_new(object, "version",
		                    json_integer((json_int_t)evc_mode_best_version(best, cpu)));
	return object;
}

static json_t *signature_json(const struct evc_cpu *cpu)
{
	struct evc_show_signature parts = evc_show_signature(cpu->signature);
	char text[16];

	if (!cpu->identified)
		return json_null();
	snprintf(text, sizeof(text), "%08x", cpu->signature);
	return json_pack("{s:s, s:i, s:i, s:i, s:{s:i, s:i, s:i, s:i, s:i, s:i}}", "eax", text, "family",
	                 cpu->family, "model", cpu->model, "stepping", cpu->stepping, "fields", "stepping",
	                 (int)parts.stepping, "model", (int)parts.model, "family", (int)parts.family, "type",
	                 (int)parts.type, "extended_model", (int)parts.extended_model, "extended_family",
	                 (int)parts.extended_family);
}

static json_t *generation_json(const struct evc_cpu *cpu)
{
	const struct evc_generation *generation = evc_generation_find(cpu);

	if (!generation)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "uarch", generation->uarch, "product",
	                 generation->product, "segment", generation->segment, "year", generation->year,
	                 "usual_mode", generation->mode);
}

static json_t *kinds_json(const struct evc_host *host)
{
	json_t *array = json_array();

	for (size_t i = 0; i < host->n_cpus; i++) {
		struct evc_cpu cpu;

		evc_cpu_decode(&host->cpus[i], &cpu);
		json_array_append_new(array, json_pack("{s:i, s:i, s:o}", "cpu", (int)host->cpus[i].cpu,
		                                       "alike", (int)host->cpus[i].n_alike, "signature",
		                                       signature_json(&cpu)));
	}
	return array;
}

static json_t *features_json(const struct evc_cpu *cpu)
{
	json_t *object = json_object();
	struct evc_show_group groups[EVC_SHOW_GROUPS];

	evc_show_groups(cpu, groups);
	for (unsigned i = 0; i < EVC_SHOW_GROUPS; i++)
		json_object_set_new(object, groups[i].name, evc_report_set_json(&groups[i].set));
	return object;
}

json_t *evc_show_json(const struct evc_show *show)
{
	const struct evc_cpu *cpu = &show->first;
	json_t *object = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s?}", "host", show->host->name, "brand",
	                           cpu->brand, "vendor", cpu->vendor_id, "generation", generation_json(cpu),
	                           "signature", signature_json(cpu), "hypervisor", cpu->hypervisor,
	                           "hypervisor_name", evc_hypervisor_name(cpu->hypervisor));
	uint64_t bits;

	json_object_set_new(object, "level", level_json(show->modes, &show->all, false));
	json_object_set_new(object, "psabi", level_json(show->modes, &show->all, true));
	if (show->offer)
		json_object_set_new(object, "guests", level_json(show->modes, &show->offer->cpu, false));
	if (evc_cpu_value(&show->all, EVC_F_PHYS_ADDR_BITS, &bits))
		json_object_set_new(object, "physical_bits", json_integer((json_int_t)bits));
	if (evc_cpu_value(&show->all, EVC_F_VIRT_ADDR_BITS, &bits))
		json_object_set_new(object, "virtual_bits", json_integer((json_int_t)bits));
	json_object_set_new(object, "max_basic", json_integer(cpu->max_basic));
	json_object_set_new(object, "max_extended", json_integer(cpu->max_extended));
	json_object_set_new(object, "kinds", kinds_json(show->host));
	json_object_set_new(object, "features", features_json(&show->all));
	return object;
}
