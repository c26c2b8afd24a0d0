/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/check.h"
#include "core/level.h"
#include "core/matrix.h"
#include "core/vcpu.h"
#include "host/files.h"
#include "host/share.h"
#include "text/matrix.h"
#include "text/report.h"
#include "verb/input.h"
#include "verb/sides.h"

#include <string.h>

enum { GRID_HOSTS = 40, MAX_CELLS = 4 * 1000 * 1000, MAX_VENDORS = 8 };

static const struct evc_param params[] = {
	{ .name = "mode",
	  .letter = 'm',
	  .value = "MODE",
	  .help = "guests at this mode, instead of all that their host offers" },
	{ .name = "levelled",
	  .help = "with --mode: guests made for all these hosts, as by export --cluster" },
	{ .name = "csv", .help = "print CSV" },
	{ .name = "html", .value = "FILE", .help = "write a page to this file" },
	EVC_OFFER_PARAMS,
	{ 0 },
};

struct rows {
	const struct evc_matrix *matrix;
	const struct evc_matrix_bits *bits;
};

static void compute_rows(void *context, size_t part, size_t first, size_t last)
{
	const struct rows *rows = context;

	(void)part;
	evc_matrix_rows(rows->matrix, first, last, rows->bits);
}

/* Guests at a mode, and whether each host can start one. */
struct guests {
	const struct evc_modes *modes;
	const struct evc_mode *mode;
	unsigned version;
	const struct evc_cpu **cpus;
	enum evc_verdict *starts;
};

/* The newest version that every host has that can have the mode at all; 1 when none can. */
static unsigned common_version(const struct evc_mode *mode, const struct evc_side_list *sides)
{
	unsigned least = 0;

	for (size_t i = 0; i < sides->n; i++) {
		unsigned best = sides->items[i].cpu ? evc_mode_best_version(mode, sides->items[i].cpu) : 0;

		if (best && (!least || best < least))
			least = best;
	}
	return least ? least : 1;
}

/* What stands for the guest of a host that cannot start one: it asks for all that the mode lists. */
static struct evc_cpu *ideal_guest(struct evc_command *command, const struct guests *guests)
{
	struct evc_cpu *guest = evc_arena_alloc(command->arena, sizeof(*guest));

	if (!guest)
		return NULL;
	guest->has = evc_mode_version(guests->mode, guests->version)->features;
	for (int w = 0; w < EVC_SET_WORDS; w++)
		guest->known.word[w] = UINT64_MAX;
	for (int slot = 0; slot < EVC_N_SLOTS; slot++)
		if (evc_features[evc_slots[slot]].rule == EVC_RULE_MAX ||
		    evc_features[evc_slots[slot]].rule == EVC_RULE_OR)
			guest->value[slot] = UINT64_MAX;
	return guest;
}

/* What a guest on this host is given at the mode, and no more than the level has. */
static int guest_of(const struct guests *guests, const struct evc_check_side *side,
                    const struct evc_cpu *level, struct evc_cpu *ret_guest, struct evc_error *err)
{
	struct evc_arena scratch = { 0 };
	struct evc_dump dump;
	int status = evc_vcpu_make(guests->modes, guests->mode, guests->version, evc_side_offer(side), level,
	                           &scratch, &dump, NULL, err);

	if (status >= 0) {
		evc_cpu_decode(&dump, ret_guest);
		evc_check_settle(ret_guest);
	}
	evc_arena_free(&scratch);
	return status;
}

/* What the hosts of one vendor that can start guests have in common: their guests are given no more. */
struct levels {
	const char *vendors[MAX_VENDORS];
	struct evc_level items[MAX_VENDORS];
	size_t n;
};

static int level_of(struct evc_command *command, const struct guests *guests,
                    const struct evc_side_list *sides, const char *vendor, struct evc_level *ret_level,
                    struct evc_error *err)
{
	struct evc_findings told_by_level = { .arena = command->arena };
	struct evc_level_options options = { .mode = guests->mode, .version = guests->version };
	struct evc_level_kind *kinds = evc_arena_array(command->arena, sides->n, sizeof(*kinds));
	size_t n = 0;

	if (!kinds)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < sides->n; i++)
		if (guests->starts[i] != EVC_NO && sides->items[i].cpu &&
		    !strcmp(sides->items[i].cpu->vendor_id, vendor))
			kinds[n++] = (struct evc_level_kind){ .cpu = sides->items[i].cpu,
				                              .name = sides->items[i].name,
				                              .n_hosts = 1 };
	return evc_level_make(guests->modes, kinds, n, &options, command->arena, ret_level, &told_by_level,
	                      err);
}

/* NULL in *ret_level: of more vendors than there are. */
static int find_level(struct evc_command *command, const struct guests *guests,
                      const struct evc_side_list *sides, const char *vendor, struct levels *levels,
                      const struct evc_cpu **ret_level, struct evc_error *err)
{
	size_t at = 0;
	int status = EVC_OK;

	while (at < levels->n && strcmp(levels->vendors[at], vendor) != 0)
		at++;
	*ret_level = at < MAX_VENDORS ? &levels->items[at].cpu : NULL;
	if (at == levels->n && at < MAX_VENDORS) {
		levels->vendors[levels->n++] = vendor;
		status = level_of(command, guests, sides, vendor, &levels->items[at], err);
	}
	return status;
}

static int make_guests(struct evc_command *command, struct guests *guests, const struct evc_side_list *sides,
                       struct evc_error *err)
{
	struct evc_cpu *ideal = ideal_guest(command, guests);
	struct levels levels = { .n = 0 };
	int status = EVC_OK;

	guests->starts = evc_arena_array(command->arena, sides->n + 1, sizeof(*guests->starts));
	if (!ideal || !guests->starts)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < sides->n; i++) {
		const struct evc_cpu *host = sides->items[i].cpu;

		guests->starts[i] = host ? evc_mode_satisfied(guests->mode, guests->version, host, NULL, NULL)
		                         : EVC_UNKNOWN;
		guests->cpus[i] = host ? ideal : NULL;
	}
	for (size_t i = 0; i < sides->n && status >= 0; i++) {
		const struct evc_check_side *side = &sides->items[i];
		const struct evc_cpu *level;
		struct evc_cpu *guest;

		if (!side->cpu || guests->starts[i] == EVC_NO)
			continue;
		guest = evc_arena_alloc(command->arena, sizeof(*guest));
		if (!guest)
			return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
		level = NULL;
		if (evc_args_flag(&command->args, "levelled"))
			status = find_level(command, guests, sides, side->cpu->vendor_id, &levels, &level,
			                    err);
		if (status >= 0)
			status = guest_of(guests, side, level, guest, err);
		guests->cpus[i] = guest;
	}
	return status;
}

static json_t *row_json(const struct evc_matrix_view *view, size_t from)
{
	json_t *row = json_array();

	for (size_t to = 0; to < view->matrix->n_hosts; to++)
		json_array_append_new(row, json_string(evc_verdict_name(evc_matrix_view_at(view, from, to))));
	return row;
}

static void put_json(const struct evc_matrix_view *view, struct evc_sink *out)
{
	json_t *hosts = json_array(), *rows = json_array();

	for (size_t i = 0; i < view->matrix->n_hosts; i++) {
		json_array_append_new(hosts, json_string(view->names[i]));
		json_array_append_new(rows, row_json(view, i));
	}
	evc_report_json(json_pack("{s:s, s:i, s:o, s:o}", "title", view->title, "kinds",
	                          (int)view->matrix->n_kinds, "hosts", hosts, "rows", rows),
	                out);
}

static int put(struct evc_command *command, const struct evc_matrix_view *view, struct evc_error *err)
{
	const char *html = evc_args_value(&command->args, "html");
	size_t n = view->matrix->n_hosts;
	bool csv = evc_args_flag(&command->args, "csv");
	int status = EVC_OK;

	if ((html || csv || command->json) && n * n > MAX_CELLS)
		return evc_fail(err, EVC_ERR_LIMIT, "%zu hosts are too many to print each pair", n);
	if (html) {
		struct evc_sink page = { 0 };

		evc_matrix_html(view, &page);
		status = evc_file_write(html, &page, err);
		evc_sink_free(&page);
	}
	if (command->json)
		put_json(view, command->out);
	else if (csv)
		evc_matrix_csv(view, command->out);
	else if (n <= GRID_HOSTS)
		evc_matrix_grid(view, command->out);
	else
		evc_matrix_summary(view, command->arena, command->out);
	return status;
}

/* 0 when everything moves everywhere. */
static int verdict_exit(const struct evc_matrix_view *view)
{
	const struct evc_matrix *matrix = view->matrix;

	for (size_t a = 0; a < matrix->n_kinds; a++)
		for (size_t b = 0; b < matrix->n_kinds; b++)
			if (evc_matrix_view_at(view, matrix->first[a], matrix->first[b]) != EVC_YES)
				return evc_verdict_exit(EVC_NO);
	return evc_verdict_exit(EVC_YES);
}

static bool has_unknown(const struct evc_matrix *matrix, const struct evc_matrix_bits *bits)
{
	for (size_t w = 0; w < matrix->n_kinds * matrix->row_words; w++)
		if (bits->unknown[w])
			return true;
	return false;
}

/* Without it nobody tells whether two equal dumps are of equal hosts, and much of the matrix may be unknown.
 */
static void tell_microcode(struct evc_command *command, const struct evc_cpu *const *hosts, size_t n)
{
	size_t without = 0;

	for (size_t i = 0; i < n; i++)
		without += hosts[i] && !hosts[i]->microcode;
	if (without)
		evc_sink_printf(
			command->messages,
			"evc: the microcode of %zu of %zu hosts is not known, so that what their dumps do "
			"not say is not taken as equal; evc capture records it\n",
			without, n);
}

/* Guests of wider hosts fit nowhere else, and nothing in the matrix says why. */
static void tell_widths(struct evc_command *command, const struct guests *guests,
                        const struct evc_side_list *sides)
{
	const struct evc_cpu *first = NULL;

	for (size_t i = 0; i < sides->n; i++) {
		const struct evc_cpu *host = sides->items[i].cpu;
		uint64_t a, b;

		if (!host || guests->starts[i] == EVC_NO)
			continue;
		first = first ? first : host;
		if (strcmp(host->vendor_id, first->vendor_id) != 0 ||
		    !evc_cpu_value(first, EVC_F_PHYS_ADDR_BITS, &a) ||
		    !evc_cpu_value(host, EVC_F_PHYS_ADDR_BITS, &b) || a == b)
			continue;
		evc_sink_puts(command->messages,
		              "evc: the hosts' address widths differ: guests that are made for all of them "
		              "(evc export --cluster) go further; --levelled shows where\n");
		return;
	}
}

static int run(struct evc_command *command, struct evc_error *err)
{
	struct evc_modes modes = { 0 };
	struct guests guests = { .modes = &modes };
	const struct evc_cpu **hosts;
	const char **names, *title = "as they are";
	struct evc_side_list sides;
	struct evc_matrix matrix;
	struct evc_matrix_bits bits;
	int status = evc_input_modes(command, &modes, err);

	if (status >= 0)
		status = evc_input_mode(command, &modes, "mode", &guests.mode, &guests.version, err);
	if (status >= 0 && !command->args.n_operands)
		status = evc_fail(err, EVC_ERR_USAGE, "name hosts: files or directories");
	if (status >= 0 && command->json && evc_args_flag(&command->args, "csv"))
		status = evc_fail(err, EVC_ERR_USAGE, "--csv or --json, not both");
	if (status >= 0 && !guests.mode && evc_args_flag(&command->args, "levelled"))
		status = evc_fail(err, EVC_ERR_USAGE, "--levelled is about guests at a --mode");
	if (status >= 0)
		status = evc_sides_read(command, command->args.operands, command->args.n_operands, &sides,
		                        err);
	if (status < 0)
		return status;
	guests.cpus = evc_arena_array(command->arena, sides.n + 1, sizeof(*guests.cpus));
	hosts = evc_arena_array(command->arena, sides.n + 1, sizeof(*hosts));
	names = evc_arena_array(command->arena, sides.n + 1, sizeof(*names));
	if (!guests.cpus || !hosts || !names)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < sides.n; i++) {
		names[i] = sides.items[i].name;
		hosts[i] = sides.items[i].cpu;
		guests.cpus[i] = hosts[i];
	}
	if (guests.mode) {
		if (!guests.version)
			guests.version = common_version(guests.mode, &sides);
		title = evc_arena_printf(command->arena, "%s@%u", guests.mode->key, guests.version);
		status = make_guests(command, &guests, &sides, err);
	}
	if (status >= 0)
		status = evc_matrix_prepare(guests.cpus, hosts, sides.n, command->arena, &matrix, err);
	if (status >= 0)
		status = evc_matrix_bits_make(&matrix, command->arena, &bits, err);
	if (status < 0)
		return status;
	evc_share(matrix.n_kinds, evc_share_parts(matrix.n_kinds, 1), compute_rows,
	          &(struct rows){ .matrix = &matrix, .bits = &bits });
	struct evc_matrix_view view = { .matrix = &matrix,
		                        .bits = &bits,
		                        .names = names,
		                        .guests = guests.cpus,
		                        .hosts = hosts,
		                        .starts = guests.starts,
		                        .title = title };

	status = put(command, &view, err);
	if (status < 0)
		return status;
	status = verdict_exit(&view);
	if (has_unknown(&matrix, &bits))
		tell_microcode(command, hosts, sides.n);
	if (guests.mode && !evc_args_flag(&command->args, "levelled"))
		tell_widths(command, &guests, &sides);
	return status;
}

const struct evc_verb evc_verb_matrix = {
	.name = "matrix",
	.summary = "say for all pairs of hosts whether a guest can move from one to the other",
	.operands = "FILE...",
	.help = "A guest has all that its host offers, or with --mode what it is given there at the mode: in the\n"
		"newest version that every host has, and none where the host cannot have the mode. It has the\n"
		"host's address widths, or with --levelled those that all hosts of the vendor have.\n"
		"Up to 40 hosts are printed as a grid, more as pools. Exit status 0: all can move to all.\n"
		"  evc matrix --mode intel-haswell --html matrix.html hosts/",
	.params = params,
	.run = run,
};
