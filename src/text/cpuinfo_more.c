/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "text/cpuinfo_more.h"

#include "text/cpuinfo_write.h"

enum { WIDTH = 100, INDENT = 13 };

/* Sure, resting on something that was assumed, of a known sort only, or not known at all. */
static const char *certainty(const struct evc_linux_vuln *vuln)
{
	if (vuln->text_known)
		return vuln->depends ? "depends" : "sure";
	return vuln->class == EVC_LINUX_VULN_UNSURE ? "unknown" : "class";
}

static void put_text(const struct evc_linux_vuln *vuln, struct evc_sink *out)
{
	static const char *const kinds[] = {
		[EVC_LINUX_VULN_UNSURE] = "?",
		[EVC_LINUX_VULN_NOT_AFFECTED] = "Not affected",
		[EVC_LINUX_VULN_VULNERABLE] = "Vulnerable ?",
		[EVC_LINUX_VULN_MITIGATION] = "Mitigation ?",
		[EVC_LINUX_VULN_UNKNOWN] = "Unknown ?",
		[EVC_LINUX_VULN_NONE] = "",
	};

	evc_sink_puts(out, vuln->text_known ? vuln->text : kinds[vuln->class]);
}

/* The conditions of the lines that the text is made of; those that always hold say nothing. */
static bool says(const struct evc_linux_vuln_row *row)
{
	return row && row->condition[0] != '-' && row->text[0];
}

static void put_reasons(const struct evc_linux_vuln *vuln, struct evc_sink *out)
{
	const char *lead = "    # as ";

	for (size_t i = 0; i < vuln->n_rows; i++) {
		if (!says(vuln->rows[i]))
			continue;
		evc_sink_printf(out, "%s%s", lead, vuln->rows[i]->condition);
		lead = "; ";
	}
	if (lead[0] == ';')
		evc_sink_puts(out, "\n");
	if (!vuln->depends)
		return;
	evc_sink_printf(out, "    # %s on ", vuln->text_known ? "depends" : "it would depend");
	evc_cpuinfo_inputs(vuln->depends, out);
	evc_sink_puts(out, "\n");
}

void evc_cpuinfo_vulns(const struct evc_linux_vuln *vulns, size_t n, bool with_certainty,
                       struct evc_sink *out)
{
	for (size_t i = 0; i < n; i++) {
		evc_sink_printf(out, "%s: ", vulns[i].file->name);
		put_text(&vulns[i], out);
		evc_sink_puts(out, "\n");
		if (with_certainty)
			put_reasons(&vulns[i], out);
	}
}

static json_t *reasons_json(const struct evc_linux_vuln *vuln)
{
	json_t *array = json_array();

	for (size_t i = 0; i < vuln->n_rows; i++)
		if (says(vuln->rows[i]))
			json_array_append_new(array, json_string(vuln->rows[i]->condition));
	return array;
}

json_t *evc_cpuinfo_vulns_json(const struct evc_linux_vuln *vulns, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			array,
			json_pack("{s:s, s:s, s:o, s:s, s:o, s:o}", "file", vulns[i].file->name, "class",
		                  evc_linux_vuln_class_name(vulns[i].class), "text",
		                  vulns[i].text_known ? json_string(vulns[i].text) : json_null(), "certainty",
		                  certainty(&vulns[i]), "depends", evc_cpuinfo_inputs_json(vulns[i].depends),
		                  "because", reasons_json(&vulns[i])));
	return array;
}

/* A word of a list that is wrapped. */
static void put_word(const char *word, const char *mark, size_t *column, struct evc_sink *out)
{
	size_t before = out->length;

	evc_sink_printf(out, " %s%s", word, mark);
	*column += out->length - before;
	if (*column < WIDTH)
		return;
	evc_sink_puts(out, "\n");
	evc_sink_pad(out, INDENT);
	*column = INDENT;
}

static void put_rows(const char *title, const struct evc_userland_row *rows, size_t n,
                     const enum evc_truth *truths, struct evc_sink *out)
{
	size_t column = INDENT, some = 0;

	evc_sink_printf(out, "%-*s", INDENT, title);
	for (size_t i = 0; i < n; i++)
		if (truths[i] != EVC_ABSENT) {
			put_word(rows[i].name, truths[i] == EVC_UNSURE ? "?" : "", &column, out);
			some++;
		}
	evc_sink_puts(out, some ? "\n" : " none\n");
}

static const char *or_none(const char *name)
{
	return name ? name : "-";
}

static void put_hypervisor(const struct evc_userland *userland, struct evc_sink *out)
{
	const struct evc_userland_hypervisor *hypervisor = &userland->hypervisor;

	evc_sink_printf(out, "%-*s", INDENT, "hypervisor");
	if (hypervisor->signature[0])
		evc_sink_printf(out, " %s: Linux %s, systemd-detect-virt %s, lscpu %s, virt-what %s\n",
		                hypervisor->signature, or_none(hypervisor->kernel),
		                or_none(hypervisor->systemd), or_none(hypervisor->lscpu),
		                or_none(hypervisor->virt_what));
	else if (userland->guest == EVC_PRESENT)
		evc_sink_puts(out, " without a name in CPUID: tools ask the firmware\n");
	else
		evc_sink_puts(out, userland->guest == EVC_ABSENT ? " none\n" : " not known\n");
}

void evc_cpuinfo_userland(const struct evc_userland *userland, struct evc_sink *out)
{
	put_rows("glibc-hwcaps", evc_userland_hwcaps, evc_n_userland_hwcaps, userland->hwcaps, out);
	evc_sink_printf(out, "%-*s", INDENT, "-march=native");
	for (unsigned i = 0; i < EVC_USERLAND_GCCS; i++)
		evc_sink_printf(out, "%s%s (GCC %s)", i ? ", " : " ",
		                userland->march[i] ? userland->march[i] : "?", evc_userland_gcc_versions[i]);
	evc_sink_puts(out, "\n");
	put_rows("supports", evc_userland_supports, evc_n_userland_supports, userland->supports, out);
	put_hypervisor(userland, out);
}

static json_t *rows_json(const struct evc_userland_row *rows, size_t n, const enum evc_truth *truths)
{
	json_t *present = json_array(), *unknown = json_array();

	for (size_t i = 0; i < n; i++)
		if (truths[i] != EVC_ABSENT)
			json_array_append_new(truths[i] == EVC_PRESENT ? present : unknown,
			                      json_string(rows[i].name));
	return json_pack("{s:o, s:o}", "present", present, "unknown", unknown);
}

json_t *evc_cpuinfo_userland_json(const struct evc_userland *userland)
{
	const struct evc_userland_hypervisor *hypervisor = &userland->hypervisor;
	json_t *march = json_object();

	for (unsigned i = 0; i < EVC_USERLAND_GCCS; i++)
		json_object_set_new(march, evc_userland_gcc_versions[i],
		                    userland->march[i] ? json_string(userland->march[i]) : json_null());
	return json_pack(
		"{s:o, s:o, s:o, s:{s:s, s:s?, s:s?, s:s?, s:s?}}", "hwcaps",
		rows_json(evc_userland_hwcaps, evc_n_userland_hwcaps, userland->hwcaps), "march", march,
		"supports", rows_json(evc_userland_supports, evc_n_userland_supports, userland->supports),
		"hypervisor", "signature", hypervisor->signature, "linux", hypervisor->kernel, "systemd",
		hypervisor->systemd, "lscpu", hypervisor->lscpu, "virt_what", hypervisor->virt_what);
}
