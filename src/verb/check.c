/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/verbs.h"

#include "core/check.h"
#include "text/report.h"
#include "verb/input.h"
#include "verb/seen.h"
#include "verb/sides.h"

#include <assert.h>
#include <string.h>

static const struct evc_param params[] = {
	{ .name = "guest", .letter = 'g', .value = "FILE", .help = "the guest that is to move" },
	{ .name = "mode", .letter = 'm', .value = "MODE", .help = "or: the mode of the cluster to join" },
	{ .name = "host", .letter = 'H', .value = "FILE", .many = true, .help = "where to" },
	{ .name = "from", .value = "FILE", .help = "where the guest runs now: can it come back?" },
	EVC_OFFER_PARAMS,
	EVC_SEEN_PARAM,
	{ 0 },
};

struct question {
	const struct evc_mode *mode;
	unsigned version;
	const struct evc_check_side *guest;
	struct evc_check_options *options;
};

static enum evc_verdict ask(const struct question *question, const struct evc_check_side *host,
                            struct evc_findings *findings)
{
	if (question->mode)
		return evc_check_join(question->mode, question->version, host, question->options, findings);
	return evc_check_move(question->guest, host, question->options, findings);
}

/* The first line: the answer as a sentence. */
static void put_verdict(const struct question *question, const struct evc_check_side *host,
                        enum evc_verdict verdict, struct evc_sink *out)
{
	const char *how = verdict == EVC_YES ? "can" : verdict == EVC_NO ? "cannot" : "may or may not";

	assert(question->mode || question->guest);
	if (question->mode)
		evc_sink_printf(out, "%s %s join at %s\n", host->name, how, question->mode->key);
	else
		evc_sink_printf(out, "%s %s move to %s\n", question->guest->name, how, host->name);
}

static json_t *answer_json(const struct question *question, const struct evc_check_side *host,
                           enum evc_verdict verdict, const struct evc_findings *findings)
{
	json_t *object = json_object();

	assert(question->mode || question->guest);
	if (question->mode)
		json_object_set_new(object, "mode", json_string(question->mode->key));
	else
		json_object_set_new(object, "guest", json_string(question->guest->name));
	json_object_set_new(object, "host", json_string(host->name));
	json_object_set_new(object, "verdict", json_string(evc_verdict_name(verdict)));
	json_object_set_new(object, "findings", evc_report_findings_json(findings));
	return object;
}

/* All hosts; the worst verdict counts.  People read once, of the nearest, what being made anew would change.
 */
static int answer(struct evc_command *command, const struct question *question,
                  const struct evc_side_list *hosts, struct evc_error *err)
{
	json_t *results = json_array();
	enum evc_verdict worst = EVC_YES;
	size_t n_yes = 0, nearest = hosts->n;

	if (question->guest && hosts->n > 1)
		nearest = evc_check_nearest(question->guest, hosts->items, hosts->n);
	for (size_t i = 0; i < hosts->n; i++) {
		struct evc_findings findings = { .arena = command->arena };
		enum evc_verdict verdict;

		question->options->moves_only = !command->json && nearest < hosts->n && i != nearest;
		verdict = ask(question, &hosts->items[i], &findings);
		if (verdict != EVC_NO) {
			int status = evc_seen_check(command, question->options->modes, question->mode,
			                            question->version, question->guest, &hosts->items[i],
			                            &findings, err);

			if (status < 0) {
				json_decref(results);
				return status;
			}
		}
		worst = evc_verdict_worse(worst, verdict);
		n_yes += verdict == EVC_YES;
		json_array_append_new(results, answer_json(question, &hosts->items[i], verdict, &findings));
		if (command->json)
			continue;
		put_verdict(question, &hosts->items[i], verdict, command->out);
		evc_report_findings(&findings, command->out);
	}
	if (command->json) {
		json_t *object =
			json_pack("{s:s, s:o}", "verdict", evc_verdict_name(worst), "results", results);

		if (nearest < hosts->n)
			json_object_set_new(object, "nearest", json_string(hosts->items[nearest].name));
		evc_report_json(object, command->out);
	} else {
		json_decref(results);
		if (nearest < hosts->n)
			evc_sink_printf(command->out, "%s: %s\n",
			                n_yes ? "the best fit" : "no host fits; the nearest",
			                hosts->items[nearest].name);
	}
	return evc_verdict_exit(worst);
}

/* Those of --host, and what follows: a shell makes several words of one pattern. */
static int read_hosts(struct evc_command *command, struct evc_side_list *ret_hosts, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	size_t n_hosts, n;
	const char *const *hosts = evc_args_values(args, "host", &n_hosts);
	const char **paths;

	n = n_hosts + args->n_operands;
	paths = evc_arena_array(command->arena, n + 1, sizeof(*paths));
	if (!paths)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < n; i++)
		paths[i] = i < n_hosts ? hosts[i] : args->operands[i - n_hosts];
	return evc_sides_read(command, paths, n, ret_hosts, err);
}

/* A file that is named twice is one machine: the side that was read already, else NULL. */
static const struct evc_check_side *find_side(const struct evc_args *args, const char *path,
                                              const struct evc_side_list *hosts)
{
	size_t n;
	const char *const *paths = evc_args_values(args, "host", &n);

	for (size_t i = 0; hosts->n == n + args->n_operands && i < hosts->n; i++)
		if (!strcmp(i < n ? paths[i] : args->operands[i - n], path))
			return &hosts->items[i];
	return NULL;
}

static int read_side(struct evc_command *command, const char *param, const struct evc_side_list *hosts,
                     const struct evc_check_side **ret_side, struct evc_error *err)
{
	const char *path = evc_args_value(&command->args, param);
	struct evc_side_list list;
	int status;

	*ret_side = find_side(&command->args, path, hosts);
	if (*ret_side)
		return EVC_OK;
	status = evc_sides_read(command, &path, 1, &list, err);
	if (status < 0)
		return status;
	if (list.n != 1)
		return evc_fail(err, EVC_ERR_USAGE, "--%s: one is wanted, here are %zu", param, list.n);
	*ret_side = list.items;
	return EVC_OK;
}

static int run(struct evc_command *command, struct evc_error *err)
{
	const struct evc_args *args = &command->args;
	const char *guest = evc_args_value(args, "guest"), *from = evc_args_value(args, "from");
	struct evc_side_list hosts;
	struct evc_check_options options = { 0 };
	struct question question = { .options = &options };
	struct evc_modes modes = { 0 };
	int status = evc_input_modes(command, &modes, err);

	if (status < 0)
		return status;
	status = evc_input_mode(command, &modes, "mode", &question.mode, &question.version, err);
	if (status < 0)
		return status;
	if (guest && question.mode)
		return evc_fail(err, EVC_ERR_USAGE,
		                "a --guest moves, at a --mode a host joins: one of them at a time");
	if (from && question.mode)
		return evc_fail(err, EVC_ERR_USAGE,
		                "--from is where a --guest runs, and a host joins from nowhere");
	if (!evc_args_value(args, "host") || (!guest && !question.mode))
		return evc_fail(err, EVC_ERR_USAGE, "name a --guest or a --mode, and at least one --host");
	status = read_hosts(command, &hosts, err);
	if (status < 0)
		return status;
	options.modes = &modes;
	options.siblings = hosts.items;
	options.n_siblings = hosts.n;
	if (guest)
		status = read_side(command, "guest", &hosts, &question.guest, err);
	if (status >= 0 && from)
		status = read_side(command, "from", &hosts, &options.from, err);
	if (status < 0)
		return status;
	if (!hosts.n)
		return evc_fail(err, EVC_ERR_INPUT, "there is no host in what was named");
	return answer(command, &question, &hosts, err);
}

const struct evc_verb evc_verb_check = {
	.name = "check",
	.summary = "say whether a guest can move to a host, or a host join at a mode, and why not",
	.operands = "--guest FILE|--mode MODE --host FILE...",
	.help = "The first line is the answer; the lines after it say why and what would help.\n"
		"\"Not known\" counts as no: the exit status is 0 only when every host is a yes.\n"
		"  evc check --guest vm7.json --host web3.json --from web1.json\n"
		"  evc check --mode intel-haswell --host web3.json",
	.params = params,
	.run = run,
};
