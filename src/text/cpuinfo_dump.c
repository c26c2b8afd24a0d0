/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A /proc/cpuinfo alone as a dump: vendor, signature, highest leaf, name and sizes as its lines say,
 * and of the rest what its words prove (core/linux_back.h).  Most registers are known in part, and
 * whatever a kernel might have printed otherwise is unknown.
 *
 * The APIC numbers, which only say where a CPU sits, and the clock are left out, so that equal CPUs
 * are of one kind.
 */
#include "text/cpuinfo_dump.h"

#include "core/linux_back.h"
#include "text/cpuinfo.h"
#include "text/cpus.h"

#include <string.h>

enum { BRAND = 48, DEFAULT_PHYSICAL = 36, DEFAULT_VIRTUAL = 48 };

struct reader {
	struct evc_arena *arena;
	const struct evc_cpuinfo *text;
	const struct evc_linux_tree *tree;   /* that the text was printed by; NULL: not known */
	const struct evc_linux_build *build; /* how that was configured; NULL: not known */
	struct evc_dump *kinds;
	const struct evc_cpuinfo_cpu **kinds_cpu;
	size_t n_kinds;
};

static int fail(const struct evc_cpuinfo_cpu *cpu, const char *name, struct evc_error *err,
                const char *wanted)
{
	const struct evc_cpuinfo_line *line = evc_cpuinfo_find(cpu, name);

	if (!line)
		return evc_fail_at(err, EVC_ERR_INPUT, cpu->lines[0].number, 0, "CPU %u has no line \"%s\"",
		                   cpu->number, name);
	return evc_fail_at(err, EVC_ERR_INPUT, line->number, line->column, "expected %s", wanted);
}

/* Four characters as a register has them. */
static uint32_t register_of(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;

	return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

/* Leaf 0: highest leaf, and the vendor where its twelve characters are there. */
static int put_vendor(const struct evc_cpuinfo_cpu *cpu, struct evc_dump_builder *builder,
                      struct evc_error *err)
{
	const struct evc_cpuinfo_line *vendor = evc_cpuinfo_find(cpu, "vendor_id");
	struct evc_leaf leaf = { 0 };
	uint64_t level;
	char text[12] = "";

	if (!vendor || vendor->value.length > sizeof(text))
		return fail(cpu, "vendor_id", err, "at most 12 characters");
	if (!evc_cpuinfo_number(cpu, "cpuid level", UINT32_MAX, &level))
		return fail(cpu, "cpuid level", err, "a number");
	leaf.value[EVC_EAX] = (uint32_t)level;
	leaf.known[EVC_EAX] = UINT32_MAX;
	/* The reader trims, but Zhaoxin's name has blanks at both ends; there is nothing else it could be. */
	if (evc_span_equals(vendor->value, "Shanghai"))
		memcpy(text, "  Shanghai  ", sizeof(text));
	else
		memcpy(text, vendor->value.text, vendor->value.length);
	if (text[sizeof(text) - 1]) {
		leaf.value[EVC_EBX] = register_of(text);
		leaf.value[EVC_EDX] = register_of(text + 4);
		leaf.value[EVC_ECX] = register_of(text + 8);
		leaf.known[EVC_EBX] = leaf.known[EVC_ECX] = leaf.known[EVC_EDX] = UINT32_MAX;
	}
	evc_dump_set_bits(builder, &leaf);
	return EVC_OK;
}

/* Leaf 1 EAX, of which the kernel looks at the extended family in family 15 only. */
static int put_signature(const struct evc_cpuinfo_cpu *cpu, struct evc_dump_builder *builder,
                         struct evc_error *err)
{
	const uint32_t short_parts = 0xfff, extended_model = 0xf0000, extended_family = 0xff00000;
	struct evc_leaf leaf = { .leaf = 1 };
	uint64_t family, model, stepping = 0;

	if (!evc_cpuinfo_number(cpu, "cpu family", 0xf + 0xff, &family))
		return fail(cpu, "cpu family", err, "a number up to 270");
	if (!evc_cpuinfo_number(cpu, "model", family >= 6 ? 0xff : 0xf, &model))
		return fail(cpu, "model", err, "a model that this family can have");
	if (evc_cpuinfo_find(cpu, "stepping") && !evc_cpuinfo_number(cpu, "stepping", 0xf, &stepping))
		return fail(cpu, "stepping", err, "a number up to 15");
	leaf.value[EVC_EAX] = evc_signature_pack((unsigned)family, (unsigned)model, (unsigned)stepping);
	leaf.known[EVC_EAX] =
		short_parts | (family >= 6 ? extended_model : 0) | (family >= 0xf ? extended_family : 0);
	evc_dump_set_bits(builder, &leaf);
	return EVC_OK;
}

/* The name as the kernel keeps it, without the blanks around; what follows its end is unknown. */
static void put_brand(const struct evc_cpuinfo_cpu *cpu, struct evc_dump_builder *builder)
{
	const struct evc_cpuinfo_line *name = evc_cpuinfo_find(cpu, "model name");
	char text[BRAND] = "", known[BRAND] = "";

	/* "06/3f" is what the kernel makes up where the CPU has no name. */
	if (!name || !name->value.length || name->value.length > BRAND || memchr(name->value.text, '/', 3))
		return;
	memcpy(text, name->value.text, name->value.length);
	memset(known, 0xff, name->value.length);
	if (name->value.length < BRAND)
		known[name->value.length] = (char)0xff;
	for (uint32_t i = 0; i < 3; i++) {
		struct evc_leaf leaf = { .leaf = 0x80000002 + i };

		for (int reg = 0; reg < 4; reg++) {
			leaf.value[reg] = register_of(text + 16 * i + 4 * reg);
			leaf.known[reg] = register_of(known + 16 * i + 4 * reg);
		}
		evc_dump_set_bits(builder, &leaf);
	}
}

/* "45 bits physical, 48 bits virtual" */
static bool take_sizes(struct evc_span text, uint64_t *ret_physical, uint64_t *ret_virtual)
{
	return evc_span_decimal(&text, ret_physical) && evc_span_skip(&text, " bits physical, ") &&
	       evc_span_decimal(&text, ret_virtual) && evc_span_equals(text, " bits virtual") &&
	       *ret_physical <= 0xff && *ret_virtual <= 0xff;
}

/*
 * 36 and 48 are also what the kernel takes where the leaf is missing; and encryption of memory (SME, TME)
 * takes bits away from what CPUID says.
 */
static int put_sizes(const struct evc_cpuinfo_cpu *cpu, struct evc_dump_builder *builder,
                     struct evc_error *err)
{
	const struct evc_cpuinfo_line *line = evc_cpuinfo_find(cpu, "address sizes");
	const struct evc_cpuinfo_line *flags = evc_cpuinfo_find(cpu, "flags");
	bool encrypts =
		evc_cpuinfo_has(flags, evc_span_from("sme")) || evc_cpuinfo_has(flags, evc_span_from("tme"));
	const struct evc_bit widths[] = { evc_features[EVC_F_PHYS_ADDR_BITS].bit,
		                          evc_features[EVC_F_VIRT_ADDR_BITS].bit };
	uint64_t values[2];

	if (!line)
		return EVC_OK;
	if (!take_sizes(line->value, &values[0], &values[1]))
		return fail(cpu, "address sizes", err, "\"N bits physical, N bits virtual\"");
	if (values[0] == DEFAULT_PHYSICAL && values[1] == DEFAULT_VIRTUAL)
		return EVC_OK;
	for (int i = encrypts; i < 2; i++) {
		struct evc_leaf leaf = { .leaf = widths[i].leaf };

		leaf.value[widths[i].reg] = (uint32_t)values[i] << widths[i].lo;
		leaf.known[widths[i].reg] = (uint32_t)evc_bit_mask(widths[i]);
		evc_dump_set_bits(builder, &leaf);
	}
	return EVC_OK;
}

/* Which bit of the power management line a word is; 32: none. */
static unsigned power_bit(struct evc_span word)
{
	struct evc_span number = word;
	uint64_t bit;

	for (unsigned i = 0; i < 32; i++)
		if (evc_linux_power_names[i] && *evc_linux_power_names[i] &&
		    evc_span_equals(word, evc_linux_power_names[i]))
			return i;
	if (evc_span_skip(&number, "[") && evc_span_decimal(&number, &bit) && evc_span_equals(number, "]") &&
	    bit < 32)
		return (unsigned)bit;
	return 32;
}

/* All bits of 80000007 EDX but those that are printed as nothing. */
static int put_power(const struct evc_cpuinfo_cpu *cpu, struct evc_dump_builder *builder,
                     struct evc_error *err)
{
	const struct evc_cpuinfo_line *line = evc_cpuinfo_find(cpu, "power management");
	struct evc_leaf leaf = { .leaf = 0x80000007 };
	struct evc_span rest, word;

	if (!line)
		return EVC_OK;
	rest = line->value;
	while (evc_span_word(&rest, &word)) {
		unsigned bit = power_bit(word);

		if (bit == 32)
			return evc_fail_at(err, EVC_ERR_INPUT, line->number,
			                   line->column + (unsigned)(word.text - line->value.text),
			                   "\"%.*s\" is no word of power management",
			                   (int)(word.length < 32 ? word.length : 32), word.text);
		leaf.value[EVC_EDX] |= UINT32_C(1) << bit;
	}
	for (unsigned i = 0; i < 32; i++)
		if (!evc_linux_power_names[i] || *evc_linux_power_names[i])
			leaf.known[EVC_EDX] |= UINT32_C(1) << i;
	evc_dump_set_bits(builder, &leaf);
	return EVC_OK;
}

/* The size of a line of the cache, in units of 8 bytes, where the CPU says it. */
static int put_clflush(const struct evc_cpuinfo_cpu *cpu, struct evc_dump_builder *builder,
                       struct evc_error *err)
{
	struct evc_bit bit = evc_features[EVC_F_CLFLUSH_SIZE].bit;
	struct evc_leaf leaf = { .leaf = bit.leaf };
	uint64_t size;

	if (!evc_cpuinfo_find(cpu, "clflush size") ||
	    !evc_cpuinfo_has(evc_cpuinfo_find(cpu, "flags"), evc_span_from("clflush")))
		return EVC_OK;
	if (!evc_cpuinfo_number(cpu, "clflush size", 8 * 0xff, &size) || size % 8)
		return fail(cpu, "clflush size", err, "a multiple of 8 up to 2040");
	leaf.value[bit.reg] = (uint32_t)(size / 8) << bit.lo;
	leaf.known[bit.reg] = (uint32_t)evc_bit_mask(bit);
	evc_dump_set_bits(builder, &leaf);
	return EVC_OK;
}

/* What the lines say without the words of flags and bugs. */
static int read_lines(const struct evc_cpuinfo_cpu *cpu, struct evc_arena *arena, struct evc_dump *ret_dump,
                      struct evc_error *err)
{
	struct evc_dump_builder builder;
	/* A 64-bit kernel has asked for this range; how far it goes is not printed. */
	struct evc_leaf extended = { .leaf = 0x80000000, .value = { 0x80000000 }, .known = { 0xffff0000 } };
	int status;

	evc_dump_begin(&builder, arena);
	if ((status = put_vendor(cpu, &builder, err)) < 0 ||
	    (status = put_signature(cpu, &builder, err)) < 0 ||
	    (status = put_sizes(cpu, &builder, err)) < 0 || (status = put_power(cpu, &builder, err)) < 0 ||
	    (status = put_clflush(cpu, &builder, err)) < 0)
		return status;
	put_brand(cpu, &builder);
	if (evc_cpuinfo_has(evc_cpuinfo_find(cpu, "flags"), evc_span_from("lm")))
		evc_dump_set_bits(&builder, &extended);
	status = evc_dump_finish(&builder, ret_dump, err);
	ret_dump->cpu = cpu->number;
	ret_dump->n_alike = 1;
	return status;
}

static int read_cpu(struct reader *reader, const struct evc_cpuinfo_cpu *cpu, struct evc_dump *ret_dump,
                    struct evc_error *err)
{
	const struct evc_cpuinfo_line *flags = evc_cpuinfo_find(cpu, "flags");
	const struct evc_cpuinfo_line *bugs = evc_cpuinfo_find(cpu, "bugs");
	struct evc_linux_listing listing = { .tree = reader->tree,
		                             .build = reader->build,
		                             .has_bugs = bugs != NULL };
	struct evc_dump dump;
	int status = read_lines(cpu, reader->arena, &dump, err);

	if (status < 0)
		return status;
	if (!flags)
		return fail(cpu, "flags", err, "");
	listing.flags = flags->value;
	if (bugs)
		listing.bugs = bugs->value;
	status = evc_linux_back(&listing, &dump, reader->arena, &dump, err);
	if (status >= 0)
		status = evc_linux_back_built(&listing, &dump, reader->arena, ret_dump, err);
	if (status >= 0) {
		ret_dump->cpu = cpu->number;
		ret_dump->n_alike = 1;
	}
	return status;
}

/* Do all lines agree of which a dump is made? */
static bool alike(const struct evc_cpuinfo_cpu *a, const struct evc_cpuinfo_cpu *b)
{
	static const char *const names[] = { "vendor_id",    "cpu family",    "model",           "model name",
		                             "stepping",     "cpuid level",   "flags",           "bugs",
		                             "clflush size", "address sizes", "power management" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct evc_cpuinfo_line *x = evc_cpuinfo_find(a, names[i]);
		const struct evc_cpuinfo_line *y = evc_cpuinfo_find(b, names[i]);

		if (!x != !y || (x && !evc_span_same(x->value, y->value)))
			return false;
	}
	return true;
}

/* Each kind of CPU once, in the order of the text. */
static int read_kinds(struct reader *reader, struct evc_error *err)
{
	size_t size = reader->text->n_cpus;

	reader->kinds = evc_arena_array(reader->arena, size, sizeof(*reader->kinds));
	reader->kinds_cpu = evc_arena_array(reader->arena, size, sizeof(const struct evc_cpuinfo_cpu *));
	if (!reader->kinds || !reader->kinds_cpu)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < size; i++) {
		const struct evc_cpuinfo_cpu *cpu = &reader->text->cpus[i];
		size_t k = 0;
		int status;

		while (k < reader->n_kinds && !alike(reader->kinds_cpu[k], cpu))
			k++;
		if (k < reader->n_kinds) {
			reader->kinds[k].n_alike++;
			continue;
		}
		status = read_cpu(reader, cpu, &reader->kinds[k], err);
		if (status < 0)
			return status;
		reader->kinds_cpu[k] = cpu;
		reader->n_kinds++;
	}
	return EVC_OK;
}

/* "0x84" of the first CPU; 0 when it is not printed. */
static int read_microcode(const struct evc_cpuinfo_cpu *cpu, uint32_t *ret_revision, struct evc_error *err)
{
	const struct evc_cpuinfo_line *line = evc_cpuinfo_find(cpu, "microcode");
	uint64_t revision = 0;

	if (line &&
	    (!evc_span_starts(line->value, "0x") || !evc_span_number(line->value, UINT32_MAX, &revision)))
		return fail(cpu, "microcode", err, "a number as 0x84");
	*ret_revision = (uint32_t)revision;
	return EVC_OK;
}

/* The kernel that is named by the caller or by the text; a wrong name of the caller's is his to mend. */
static int find_kernel(struct reader *reader, const char *named, const char **ret_name, struct evc_error *err)
{
	struct evc_span span = named ? evc_span_from(named) : reader->text->kernel;
	struct evc_linux_kernel kernel;
	int status = span.length ? evc_linux_find(span, &kernel, named ? err : NULL) : EVC_OK;

	*ret_name = span.length ? evc_arena_string(reader->arena, span.text, span.length) : NULL;
	if (named && status < 0)
		return status;
	if (!span.length || status < 0)
		return EVC_OK;
	/* "ubuntu-20.04" stands for a version, and that is the fact. */
	if (span.text[0] < '0' || span.text[0] > '9')
		*ret_name = kernel.tree->name;
	/* A kernel that was not read itself proves what all do, and no more. */
	if (kernel.match == EVC_LINUX_EXACT)
		reader->tree = kernel.tree;
	/* A text that says "6.1.192" is of somebody's own kernel: who distributes one adds to its name. */
	if (kernel.match == EVC_LINUX_EXACT && kernel.built &&
	    (named || !evc_span_equals(span, kernel.tree->name)))
		reader->build = kernel.build;
	return EVC_OK;
}

int evc_cpuinfo_host(struct evc_span text, const char *name, const char *kernel, struct evc_arena *arena,
                     struct evc_hosts *ret_hosts, struct evc_error *err)
{
	struct evc_cpuinfo cpuinfo;
	struct reader reader = { .arena = arena, .text = &cpuinfo };
	struct evc_host host;
	int status = evc_cpuinfo_read(text, arena, &cpuinfo, err);

	if (status < 0)
		return status;
	evc_host_begin(&host, evc_arena_string(arena, name, strlen(name)), "cpuinfo");
	if ((status = find_kernel(&reader, kernel, &host.facts.kernel, err)) < 0 ||
	    (status = read_microcode(&cpuinfo.cpus[0], &host.facts.microcode, err)) < 0 ||
	    (status = read_kinds(&reader, err)) < 0)
		return status;
	host.cpus = reader.kinds;
	host.n_cpus = reader.n_kinds;
	evc_hosts_add(ret_hosts, arena, &host);
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	return EVC_OK;
}

static int read(struct evc_span text, const char *name, struct evc_arena *arena, struct evc_hosts *ret_hosts,
                struct evc_error *err)
{
	return evc_cpuinfo_host(text, name, NULL, arena, ret_hosts, err);
}

const struct evc_format evc_format_cpuinfo = {
	.name = "cpuinfo",
	.title = "Linux's /proc/cpuinfo: what it proves",
	.recognise = evc_cpuinfo_recognise,
	.read = read,
};
