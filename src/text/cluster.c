/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public API (include/evc.h): a thin front of the layers below it.  Everything that an answer needs is
 * computed by core and printed by report; this file only keeps hosts, modes and memory together.
 */
#include "core/level.h"
#include "core/side.h"
#include "core/vcpu.h"
#include "text/format.h"
#include "text/modes.h"
#include "text/report.h"

#include "evc.h"

#include <stdlib.h>
#include <string.h>

struct evc_cluster {
	struct evc_arena arena;
	struct evc_modes modes;
	struct evc_hosts hosts;
};

/* One question: where its findings and its answer go. */
struct question {
	struct evc_cluster *cluster;
	struct evc_offer_options options;
	struct evc_findings findings;
	const struct evc_mode *mode;
	unsigned version;
};

const char *evc_version(void)
{
	return EVC_VERSION;
}

int evc_cluster_new(struct evc_cluster **ret_cluster, struct evc_error *err)
{
	struct evc_arena arena = { 0 };
	struct evc_cluster *cluster = evc_arena_alloc(&arena, sizeof(*cluster));

	if (!cluster)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	cluster->arena = arena;
	cluster->modes = evc_builtin_modes;
	*ret_cluster = cluster;
	return EVC_OK;
}

void evc_cluster_free(struct evc_cluster *cluster)
{
	struct evc_arena arena;

	if (!cluster)
		return;
	arena = cluster->arena; /* the cluster lives in it */
	evc_arena_free(&arena);
}

int evc_cluster_add_modes(struct evc_cluster *cluster, const char *text, size_t length, const char *origin,
                          struct evc_error *err)
{
	char *copy = evc_arena_string(&cluster->arena, text, length);
	char *name = evc_arena_string(&cluster->arena, origin, strlen(origin));

	if (!copy || !name)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	return evc_modes_parse((struct evc_span){ .text = copy, .length = length }, name, &cluster->arena,
	                       &cluster->modes, err);
}

int evc_cluster_add(struct evc_cluster *cluster, const char *text, size_t length, const char *name,
                    size_t *ret_first, struct evc_error *err)
{
	char *copy = evc_arena_string(&cluster->arena, text, length);
	size_t first = cluster->hosts.n;
	int status;

	if (!copy)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = evc_hosts_read((struct evc_span){ .text = copy, .length = length }, name, &cluster->arena,
	                        &cluster->hosts, err);
	if (status < 0)
		evc_error_set_origin(err, name);
	if (ret_first)
		*ret_first = first;
	return status;
}

size_t evc_cluster_n_hosts(const struct evc_cluster *cluster)
{
	return cluster->hosts.n;
}

const char *evc_cluster_host_name(const struct evc_cluster *cluster, size_t host)
{
	return host < cluster->hosts.n ? cluster->hosts.items[host].name : NULL;
}

static int ask(struct evc_cluster *cluster, const char *mode, unsigned flags, struct question *ret,
               struct evc_error *err)
{
	*ret = (struct question){
		.cluster = cluster,
		.options = { .view = flags & EVC_RAW ? EVC_VIEW_RAW : EVC_VIEW_AUTO,
		             .nested = flags & EVC_NESTED },
		.findings = { .arena = &cluster->arena },
	};
	if (!mode)
		return EVC_OK;
	return evc_modes_find(&cluster->modes, evc_span_from(mode), &ret->mode, &ret->version, err);
}

static int host_exists(const struct evc_cluster *cluster, size_t host, struct evc_error *err)
{
	if (host < cluster->hosts.n)
		return EVC_OK;
	return evc_fail(err, EVC_ERR_USAGE, "no host %zu: the cluster has %zu", host, cluster->hosts.n);
}

static const char *mode_text(struct evc_arena *arena, const struct evc_mode *mode, unsigned version)
{
	if (!mode)
		return "";
	return version ? evc_arena_printf(arena, "%s@%u", mode->key, version) : mode->key;
}

static char *keep(struct evc_arena *arena, struct evc_sink *sink)
{
	char *text = evc_arena_string(arena, sink->text ? sink->text : "", sink->length);

	if (sink->failed)
		arena->failed = true;
	evc_sink_free(sink);
	return text;
}

/* The answer's texts; text stays as it is when it was set already. */
static int answer(struct question *question, enum evc_verdict verdict, const char *mode, const char *text,
                  struct evc_answer *ret_answer, struct evc_error *err)
{
	struct evc_arena *arena = &question->cluster->arena;
	struct evc_sink sink = { 0 };
	const char *json;

	evc_report_json(json_pack("{s:s, s:s, s:o}", "verdict", evc_verdict_name(verdict), "mode", mode,
	                          "findings", evc_report_findings_json(&question->findings)),
	                &sink);
	json = keep(arena, &sink);
	if (!text) {
		evc_report_findings(&question->findings, &sink);
		text = keep(arena, &sink);
	}
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_answer = (struct evc_answer){ .verdict = verdict, .mode = mode, .text = text, .json = json };
	return EVC_OK;
}

/* All hosts as kinds of one host each. */
static int make_kinds(struct question *question, struct evc_level_kind *kinds, struct evc_error *err)
{
	struct evc_hosts *hosts = &question->cluster->hosts;
	struct evc_arena *arena = &question->cluster->arena;
	struct evc_check_side *sides = evc_arena_array(arena, hosts->n, sizeof(*sides));
	int status = EVC_OK;

	if (!sides)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < hosts->n && status >= 0; i++) {
		status = evc_side_make(&hosts->items[i], &question->options, arena, &sides[i],
		                       &question->findings, err);
		kinds[i] = (struct evc_level_kind){ .name = sides[i].name,
			                            .n_hosts = 1,
			                            .why = sides[i].why,
			                            .cpu = sides[i].cpu,
			                            .side = &sides[i] };
	}
	return status;
}

int evc_cluster_level(struct evc_cluster *cluster, const char *mode, unsigned flags,
                      struct evc_answer *ret_answer, struct evc_error *err)
{
	struct evc_level_options options = { .across_vendors = flags & EVC_ACROSS_VENDORS };
	struct evc_level_kind *kinds;
	struct evc_level level;
	struct question question;
	int status = ask(cluster, mode, flags, &question, err);

	if (status < 0)
		return status;
	if (!cluster->hosts.n)
		return evc_fail(err, EVC_ERR_USAGE, "the cluster has no hosts");
	kinds = evc_arena_array(&cluster->arena, cluster->hosts.n, sizeof(*kinds));
	if (!kinds)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	status = make_kinds(&question, kinds, err);
	if (status < 0)
		return status;
	options.mode = question.mode;
	options.version = question.version;
	status = evc_level_make(&cluster->modes, kinds, cluster->hosts.n, &options, &cluster->arena, &level,
	                        &question.findings, err);
	if (status < 0)
		return status;
	return answer(&question, level.verdict, mode_text(&cluster->arena, level.mode, level.version), NULL,
	              ret_answer, err);
}

int evc_cluster_fits(struct evc_cluster *cluster, size_t guest, size_t host, unsigned flags,
                     struct evc_answer *ret_answer, struct evc_error *err)
{
	const struct evc_host *hosts = cluster->hosts.items;
	struct evc_check_side sides[2];
	struct evc_check_options check = { .modes = &cluster->modes };
	struct question question;
	enum evc_verdict verdict;
	int status = ask(cluster, NULL, flags, &question, err);

	if (status < 0 || (status = host_exists(cluster, guest, err)) < 0 ||
	    (status = host_exists(cluster, host, err)) < 0)
		return status;
	for (int i = 0; i < 2 && status >= 0; i++)
		status = evc_side_make(&hosts[i ? host : guest], &question.options, &cluster->arena,
		                       &sides[i], &question.findings, err);
	if (status < 0)
		return status;
	verdict = evc_check_move(&sides[0], &sides[1], &check, &question.findings);
	return answer(&question, verdict, "", NULL, ret_answer, err);
}

int evc_cluster_apply(struct evc_cluster *cluster, size_t host, const char *mode, const char *format,
                      unsigned flags, struct evc_answer *ret_answer, struct evc_error *err)
{
	const struct evc_format *form = evc_format_find(format);
	struct evc_arena *arena = &cluster->arena;
	struct evc_host guest = { 0 };
	struct evc_sink sink = { 0 };
	struct question question;
	struct evc_offer offer;
	struct evc_dump dump;
	int status = ask(cluster, mode, flags, &question, err);

	if (status < 0 || (status = host_exists(cluster, host, err)) < 0)
		return status;
	if (!question.mode || !form || !form->write)
		return evc_fail(err, EVC_ERR_NAME, "a mode and a form that can be written are wanted");
	if (cluster->hosts.items[host].reading == EVC_DAMAGED) {
		if (err)
			*err = cluster->hosts.items[host].error;
		return cluster->hosts.items[host].error.code;
	}
	status = evc_offer_make(&cluster->hosts.items[host], &question.options, arena, &offer,
	                        &question.findings, err);
	if (status == EVC_OK)
		status = evc_vcpu_make(&cluster->modes, question.mode, question.version, &offer, NULL, arena,
		                       &dump, &question.findings, err);
	if (status < 0)
		return status;
	guest.name = cluster->hosts.items[host].name;
	guest.cpus = &dump;
	guest.n_cpus = 1;
	status = form->write(&guest, &sink, NULL, err);
	if (status < 0) {
		evc_sink_free(&sink);
		return status;
	}
	return answer(&question, evc_findings_verdict(&question.findings),
	              mode_text(arena, question.mode, question.version), keep(arena, &sink), ret_answer, err);
}
