/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which tree answers for a kernel that somebody names.
 *
 * Distributions count builds, and their stable kernels differ from one another more than mainline versions
 * do: "5.15" is not one thing.  So a name is matched first as a whole, then by its distribution's series,
 * then by version; what was not read is answered by the nearest older tree of the same series, else by the
 * nearest older tree at all, and the caller is told so.  (linux:arch/x86/kernel/cpu of the trees of
 * data/linux)
 */
#include "core/linux.h"

#include <string.h>

const struct evc_linux_alias evc_linux_aliases[] = {
	{ .name = "ubuntu-18.04", .tree = "4.15.0-213" },
	{ .name = "ubuntu-20.04", .tree = "5.4.0-139" },
	{ .name = "ubuntu-22.04", .tree = "5.15.0-204" },
	{ .name = "ubuntu-24.04", .tree = "6.8.0-151" },
	{ .name = "debian-11", .tree = "5.10.262" },
	{ .name = "debian-12", .tree = "6.1.192" },
	{ .name = "debian-13", .tree = "6.12.117" },
	{ .name = "rhel-8", .tree = "4.15.0-213", .version = 4 * 256 + 18, .vendors = true },
	{ .name = "rhel-9", .tree = "5.15.0-204", .version = 5 * 256 + 14, .vendors = true },
	{ .name = "rhel-10", .tree = "6.12.117", .vendors = true },
};
const size_t evc_n_linux_aliases = sizeof(evc_linux_aliases) / sizeof(evc_linux_aliases[0]);

struct wanted {
	unsigned major, minor, patch;
	unsigned build; /* Ubuntu's number, 0: none */
	bool exact;     /* more than major.minor was said */
	bool vendors;
	bool named;               /* more than a version was said */
	const char *distribution; /* NULL: whose it is was not said */
};

static const struct evc_linux_tree *by_name(const char *name, size_t length)
{
	for (size_t i = 0; i < evc_n_linux_trees; i++)
		if (strlen(evc_linux_trees[i].name) == length &&
		    !memcmp(evc_linux_trees[i].name, name, length))
			return &evc_linux_trees[i];
	return NULL;
}

/* "5.4.0-139" of Ubuntu's counting: the build; 0 for a tree that is counted by its patch. */
static unsigned build_of(const char *name)
{
	struct evc_span rest = evc_span_from(name);
	uint64_t number = 0;

	while (rest.length && rest.text[0] != '-') {
		rest.text++;
		rest.length--;
	}
	if (!evc_span_skip(&rest, "-") || !evc_span_decimal(&rest, &number) || number > UINT16_MAX)
		return 0;
	return (unsigned)number;
}

/* Marks of kernels that carry changes of newer ones and were not read. */
static bool is_vendors(struct evc_span rest)
{
	static const char *const marks[] = { ".el", "uek",    "amzn", "azure",   "aws",
		                             "gcp", "oracle", "-pve", "default", "ibm" };

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		for (size_t at = 0; at + strlen(marks[i]) <= rest.length; at++)
			if (!memcmp(rest.text + at, marks[i], strlen(marks[i])))
				return true;
	return false;
}

static bool contains(struct evc_span rest, const char *text)
{
	for (size_t at = 0; at + strlen(text) <= rest.length; at++)
		if (!memcmp(rest.text + at, text, strlen(text)))
			return true;
	return false;
}

/* Whose kernel it is, by the marks that its name has. */
static const char *distribution_of(struct evc_span rest)
{
	static const struct {
		const char *mark, *distribution;
	} rows[] = {
		{ .mark = "-amd64", .distribution = "debian" },
		{ .mark = "+deb", .distribution = "debian" },
		{ .mark = "-generic", .distribution = "ubuntu" },
		{ .mark = "-lowlatency", .distribution = "ubuntu" },
		{ .mark = ".el", .distribution = "rhel" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (contains(rest, rows[i].mark))
			return rows[i].distribution;
	return NULL;
}

/* "6.1", "6.1.55", "6.1.0-56-cloud-amd64", "5.4.0-139-generic", "6.12.95+deb13-amd64",
 * "5.14.0-503.el9.x86_64" */
static bool read_version(struct evc_span name, struct wanted *ret_wanted)
{
	struct wanted wanted = { 0 };
	uint64_t major, minor, number;

	if (!evc_span_decimal(&name, &major) || !evc_span_skip(&name, ".") ||
	    !evc_span_decimal(&name, &minor) || major > 255 || minor > 255)
		return false;
	wanted.major = (unsigned)major;
	wanted.minor = (unsigned)minor;
	if (evc_span_skip(&name, ".")) {
		if (!evc_span_decimal(&name, &number) || number > UINT16_MAX)
			return false;
		wanted.patch = (unsigned)number;
		wanted.exact = true;
	}
	if (name.length && !strchr("-+._~", name.text[0]))
		return false;
	wanted.vendors = is_vendors(name);
	wanted.named = name.length > 0;
	wanted.distribution = distribution_of(name);
	/* Debian's number after .0 counts ABIs; the newest stable of the series is what it has now. */
	if (contains(name, "amd64"))
		wanted.exact = wanted.patch != 0;
	else if (!wanted.vendors && evc_span_skip(&name, "-") && evc_span_decimal(&name, &number) &&
	         number <= UINT16_MAX)
		wanted.build = (unsigned)number;
	*ret_wanted = wanted;
	return true;
}

/* How well a tree of the wanted series stands for it; the larger, the better. */
static unsigned fitness(const struct evc_linux_tree *tree, const struct wanted *wanted)
{
	unsigned build = build_of(tree->name);

	if (wanted->build) {
		if (!build)
			return 1;
		return build <= wanted->build ? 0x10000 + build : 2;
	}
	if (!wanted->exact || build)
		return build ? 2 + build : 0x10000U + tree->patch;
	return tree->patch <= wanted->patch ? 0x20000U + tree->patch : 0x10000U;
}

static void match_version(const struct wanted *wanted, struct evc_linux_kernel *kernel)
{
	unsigned version = wanted->major * 256 + wanted->minor, best = 0;

	kernel->tree = &evc_linux_trees[0];
	kernel->match = EVC_LINUX_FIRST;
	for (size_t i = 0; i < evc_n_linux_trees; i++) {
		const struct evc_linux_tree *tree = &evc_linux_trees[i];

		if (tree->version > version)
			break;
		if (tree->version < version) {
			kernel->tree = tree;
			kernel->match = EVC_LINUX_OLDER;
		} else if (fitness(tree, wanted) >= best) {
			best = fitness(tree, wanted);
			kernel->tree = tree;
			kernel->match = EVC_LINUX_SERIES;
		}
	}
	if (kernel->match == EVC_LINUX_SERIES && wanted->build &&
	    build_of(kernel->tree->name) == wanted->build)
		kernel->match = EVC_LINUX_EXACT;
}

static void build_as_tree(struct evc_linux_kernel *kernel, bool known)
{
	kernel->build =
		evc_linux_build_find(evc_span_from(kernel->tree->distribution), kernel->tree->version);
	kernel->built = known && evc_span_equals(evc_span_from(kernel->build->distribution),
	                                         kernel->tree->distribution);
}

/*
 * Whose configuration: of the distribution that the name tells; of the tree that answers, if a version was
 * all that was said; else somebody built it himself.
 */
static void find_build(const struct wanted *wanted, struct evc_linux_kernel *kernel)
{
	unsigned version = wanted->major * 256 + wanted->minor;
	const char *distribution = wanted->distribution;

	if (!distribution && wanted->build && kernel->match == EVC_LINUX_EXACT)
		distribution = kernel->tree->distribution;
	if (!distribution && !wanted->named) {
		build_as_tree(kernel, false);
		return;
	}
	kernel->build = evc_linux_build_find(evc_span_from(distribution ? distribution : ""), version);
	kernel->built =
		distribution && evc_span_equals(evc_span_from(distribution), kernel->build->distribution);
}

/* "debian-12": the distribution's name is what is before the dash. */
static void build_as_alias(const struct evc_linux_alias *alias, struct evc_linux_kernel *kernel)
{
	struct evc_span distribution = evc_span_from(alias->name);
	unsigned version = alias->version ? alias->version : kernel->tree->version;

	distribution.length = (size_t)(strchr(alias->name, '-') - alias->name);
	kernel->build = evc_linux_build_find(distribution, version);
	kernel->built = evc_span_equals(distribution, kernel->build->distribution);
}

/* A distribution, and after a colon its build. */
static bool match_alias(struct evc_span name, struct evc_linux_kernel *kernel)
{
	for (size_t i = 0; i < evc_n_linux_aliases; i++) {
		const struct evc_linux_alias *alias = &evc_linux_aliases[i];
		struct evc_span rest = name;
		struct wanted wanted;

		if (!evc_span_skip(&rest, alias->name) || (rest.length && rest.text[0] != ':'))
			continue;
		kernel->vendors = alias->vendors;
		if (!rest.length) {
			kernel->tree = by_name(alias->tree, strlen(alias->tree));
			kernel->match = alias->vendors ? EVC_LINUX_OLDER : EVC_LINUX_EXACT;
			if (kernel->tree)
				build_as_alias(alias, kernel);
			return kernel->tree;
		}
		rest.text++;
		rest.length--;
		kernel->tree = by_name(rest.text, rest.length);
		kernel->match = EVC_LINUX_EXACT;
		if (!kernel->tree) {
			if (!read_version(rest, &wanted))
				return false;
			match_version(&wanted, kernel);
		}
		build_as_alias(alias, kernel);
		return true;
	}
	return false;
}

int evc_linux_find(struct evc_span name, struct evc_linux_kernel *ret_kernel, struct evc_error *err)
{
	struct evc_linux_kernel kernel = { .tree = by_name(name.text, name.length) };
	struct wanted wanted;

	if (kernel.tree) {
		build_as_tree(&kernel, true);
	} else if (!match_alias(name, &kernel)) {
		if (!read_version(name, &wanted))
			return evc_fail(err, EVC_ERR_USAGE,
			                "%.*s is no kernel version: 6.1, ubuntu-22.04, uname -r",
			                (int)(name.length < 60 ? name.length : 60), name.text);
		kernel.vendors = wanted.vendors;
		match_version(&wanted, &kernel);
		find_build(&wanted, &kernel);
	}
	*ret_kernel = kernel;
	return 0;
}
