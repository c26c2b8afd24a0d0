/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the kernels that were read a host may run, from its uname -r.
 *
 * A stable kernel "6.12.57" lies between two trees of its series: what both offer it offers, what they
 * do not agree on is not known.  Distributions count otherwise: Debian's "6.1.0-50-amd64" has an ABI
 * number where the stable number was, so any stable kernel of the series is possible; Red Hat, SUSE,
 * Ubuntu and others take changes back to old numbers, so everything from there to the newest is.
 */
#include "core/kvm_rules.h"

#include <string.h>

enum { ANY_PATCH = -1 };

struct version {
	unsigned major, minor;
	int patch;
	bool vendor; /* carries changes of newer kernels */
};

/* Names in which a vendor's kernel gives itself away, unless it is a plain kernel in a vendor's package. */
static bool is_vendors(const char *rest)
{
	static const char *const marks[] = {
		".el", "generic", "lowlatency", "-pve", "-aws", "-azure", "-gcp", "-oracle", "-kvm",
		"uek", "default", "amzn",       "-lve", "-ibm", ".oe",    ".an",  "tlinux",  "-cloudlinux"
	};

	if (strstr(rest, "elrepo"))
		return false;
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(rest, marks[i]))
			return true;
	return false;
}

static bool read_version(const char *text, struct version *ret_version)
{
	struct evc_span rest = evc_span_from(text);
	uint64_t major, minor, patch;

	if (!evc_span_decimal(&rest, &major) || !evc_span_skip(&rest, ".") ||
	    !evc_span_decimal(&rest, &minor) || major > 999 || minor > 9999)
		return false;
	*ret_version =
		(struct version){ .major = (unsigned)major, .minor = (unsigned)minor, .patch = ANY_PATCH };
	if (rest.length && rest.text[0] == '.') {
		evc_span_skip(&rest, ".");
		if (!evc_span_decimal(&rest, &patch) || patch > 99999)
			return false;
		ret_version->patch = (int)patch;
		/* An ABI number follows: the stable number is not told. */
		if (!patch && rest.length && rest.text[0] == '-')
			ret_version->patch = ANY_PATCH;
	}
	if (rest.length && rest.text[0] >= 'A' && rest.text[0] <= 'z')
		return false;
	ret_version->vendor = is_vendors(rest.text);
	return true;
}

static bool same_series(const struct evc_kvm_tree *tree, const struct version *version)
{
	return tree->major == version->major && tree->minor == version->minor;
}

static bool newer_series(const struct evc_kvm_tree *tree, const struct version *version)
{
	return tree->major > version->major ||
	       (tree->major == version->major && tree->minor > version->minor);
}

/* The trees of the series at i and what is next to it, as a mask; *end is the first of the next series. */
static uint16_t series_at(size_t i, size_t *ret_end)
{
	uint16_t mask = 0;
	size_t end = i;

	while (end < evc_n_kvm_trees && evc_kvm_trees[end].major == evc_kvm_trees[i].major &&
	       evc_kvm_trees[end].minor == evc_kvm_trees[i].minor)
		mask |= (uint16_t)(1 << end++);
	*ret_end = end;
	return mask;
}

/* Trees are in order: within a series take the neighbours of the stable number. */
static uint16_t within_series(const struct version *version, uint16_t older)
{
	uint16_t below = older, above = 0;

	for (size_t i = 0; i < evc_n_kvm_trees; i++) {
		const struct evc_kvm_tree *tree = &evc_kvm_trees[i];

		if (tree->apart || !same_series(tree, version))
			continue;
		if (version->patch == ANY_PATCH)
			above |= (uint16_t)(1 << i);
		else if ((int)tree->patch == version->patch)
			return (uint16_t)(1 << i);
		else if ((int)tree->patch < version->patch)
			below = (uint16_t)(1 << i);
		else if (!above)
			above = (uint16_t)(1 << i);
	}
	return version->patch == ANY_PATCH ? above : below | above;
}

static struct evc_kvm_kernels kernels_of(const struct version *version)
{
	struct evc_kvm_kernels result = { 0 };
	uint16_t older = 0, same = 0, newer = 0, all_newer = 0;
	size_t end;

	for (size_t i = 0; i < evc_n_kvm_trees; i = end) {
		uint16_t series = series_at(i, &end);

		if (evc_kvm_trees[i].apart)
			continue;
		if (same_series(&evc_kvm_trees[i], version)) {
			same = series;
		} else if (newer_series(&evc_kvm_trees[i], version)) {
			newer = newer ? newer : series;
			all_newer |= series;
		} else {
			older = series;
		}
	}
	result.older = !older && !same;
	if (version->vendor)
		result.trees = (same ? same : older) | all_newer;
	else if (same)
		result.trees = within_series(version, older);
	else
		result.trees = older | newer;
	return result;
}

bool evc_kvm_kernels_from(const char *kernel, struct evc_kvm_kernels *ret_kernels)
{
	struct version version;

	*ret_kernels = (struct evc_kvm_kernels){ .trees = (uint16_t)(1 << (evc_n_kvm_trees - 1)) };
	if (!kernel || !kernel[0])
		return true;
	for (size_t i = 0; i < evc_n_kvm_trees; i++) {
		if (!strcmp(kernel, evc_kvm_trees[i].name)) {
			ret_kernels->trees = (uint16_t)(1 << i);
			return true;
		}
	}
	if (!read_version(kernel, &version))
		return false;
	for (size_t i = 0; i < evc_n_kvm_trees; i++) {
		/* A vendor's kernel that was read itself: 3.10.0 of the seventh release. */
		if (evc_kvm_trees[i].apart && same_series(&evc_kvm_trees[i], &version) &&
		    strstr(kernel, evc_kvm_trees[i].name)) {
			ret_kernels->trees = (uint16_t)(1 << i);
			return true;
		}
	}
	*ret_kernels = kernels_of(&version);
	return true;
}

static bool read_switch(struct evc_span value, uint8_t *ret_may)
{
	static const char *const yes[] = { "1", "y", "Y", "on", "yes" }, *const no[] = { "0", "n", "N", "off",
		                                                                         "no" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (evc_span_equals(value, yes[i])) {
			*ret_may = EVC_MAY_YES;
			return true;
		}
		if (evc_span_equals(value, no[i])) {
			*ret_may = EVC_MAY_NO;
			return true;
		}
	}
	return false;
}

/* One NAME=VALUE; false when it changes nothing: nobody knows the name, or it is no value. */
static bool take_option(struct evc_span word, struct evc_kvm_machine *machine)
{
	struct evc_span name = word, value;
	const char *equals = memchr(word.text, '=', word.length), *dot;

	if (!equals)
		return false;
	name.length = (size_t)(equals - word.text);
	value = (struct evc_span){ .text = equals + 1, .length = word.length - name.length - 1 };
	dot = memchr(name.text, '.', name.length);
	if (dot)
		name = (struct evc_span){ .text = dot + 1,
			                  .length = (size_t)(name.text + name.length - dot - 1) };
	for (size_t i = 0; i < evc_n_kvm_parameters; i++)
		if (evc_span_equals(name, evc_kvm_parameters[i].name))
			return read_switch(value, &machine->options[evc_kvm_parameters[i].option]);
	return false;
}

bool evc_kvm_options_from(const char *text, struct evc_kvm_machine *machine, struct evc_span *ret_odd)
{
	struct evc_span rest = evc_span_from(text), word;
	bool all = true;

	while (evc_span_word(&rest, &word)) {
		if (take_option(word, machine))
			continue;
		if (all)
			*ret_odd = word;
		all = false;
	}
	return all;
}
