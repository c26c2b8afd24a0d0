/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Before the first byte moves: capabilities, limits, the address, and the command that starts it. */
#include "guest/migrate-private.h"

#include <string.h>
#include <unistd.h>

enum {
	MEND_AGAIN_MS = 5000
}; /* after which a destination that nobody reached is told anew where to listen */

/* One capability; what a QEMU does not know fails with its name. */
static json_t *capability(const char *name)
{
	return json_pack("{s:s, s:b}", "capability", name, "state", 1);
}

/* What both ends have to agree on. */
static void add_common(const struct evc_migrate_options *options, json_t *list)
{
	if (options->n_channels)
		json_array_append_new(list, capability("multifd"));
	if (options->postcopy)
		json_array_append_new(list, capability("postcopy-ram"));
}

static json_t *parameters_of(const struct evc_migrate_options *options, bool source)
{
	json_t *parameters = json_object();

	if (source && options->max_bandwidth)
		json_object_set_new(parameters, "max-bandwidth",
		                    json_integer((json_int_t)options->max_bandwidth));
	/* QEMU's own limit ends where postcopy begins. */
	if (source && options->max_bandwidth && options->postcopy)
		json_object_set_new(parameters, "max-postcopy-bandwidth",
		                    json_integer((json_int_t)options->max_bandwidth));
	if (source && options->max_downtime_ms)
		json_object_set_new(parameters, "downtime-limit", json_integer(options->max_downtime_ms));
	if (options->n_channels)
		json_object_set_new(parameters, "multifd-channels", json_integer(options->n_channels));
	return parameters;
}

/* Commands that an end is sent at once; it is heard later. */
struct orders {
	struct evc_migrate_end *end;
	const char *commands[4];
	size_t n;
};

static int send_order(struct orders *orders, const char *command, json_t *arguments, unsigned answer_ms,
                      struct evc_error *err)
{
	orders->commands[orders->n++] = command;
	return evc_qmp_send(&orders->end->qmp, command, arguments, answer_ms, err);
}

/* Capabilities and parameters of one end. */
static int send_settings(struct orders *orders, const struct evc_migrate_options *options,
                         json_t *capabilities, bool source, unsigned answer_ms, struct evc_error *err)
{
	json_t *parameters = parameters_of(options, source);
	int status = send_order(orders, "migrate-set-capabilities",
	                        json_pack("{s:o}", "capabilities", capabilities), answer_ms, err);

	if (status == EVC_OK && json_object_size(parameters))
		return send_order(orders, "migrate-set-parameters", parameters, answer_ms, err);
	json_decref(parameters);
	return status;
}

/* ret_last is the answer to the last one. */
static int hear_orders(const struct orders *orders, unsigned answer_ms, json_t **ret_last,
                       struct evc_error *err)
{
	int status = EVC_OK;

	for (size_t i = 0; i < orders->n && status == EVC_OK; i++)
		status = evc_qmp_hear(&orders->end->qmp, orders->commands[i], answer_ms,
		                      i + 1 == orders->n ? ret_last : NULL, err);
	return status;
}

/*
 * The source: the return path, so that it learns whether the destination took the guest; a pause before
 * the switch-over, so that we can look once more.  The destination: its images stay the source's until
 * it is told to run.  ret_migration is what the destination says of migration, where it listens.
 */
static int set_up(struct evc_migrate_job *job, json_t **ret_migration, struct evc_error *err)
{
	const struct evc_migrate_options *options = job->options;
	struct orders here = { .end = &job->source }, there = { .end = &job->destination };
	json_t *source = json_array(), *destination = json_array();
	int status;

	json_array_append_new(source, capability("return-path"));
	json_array_append_new(source, capability("pause-before-switchover"));
	json_array_append_new(source, capability("events"));
	if (options->auto_converge)
		json_array_append_new(source, capability("auto-converge"));
	json_array_append_new(destination, capability("late-block-activate"));
	json_array_append_new(destination, capability("events"));
	add_common(options, source);
	add_common(options, destination);
	status = send_settings(&here, options, source, true, job->answer_ms, err);
	if (status < 0)
		json_decref(destination);
	else
		status = send_settings(&there, options, destination, false, job->answer_ms, err);
	/* In this state the command only means: do not run by yourself when all is there. */
	if (status == EVC_OK)
		status = send_order(&there, "stop", NULL, job->answer_ms, err);
	if (status == EVC_OK)
		status = send_order(&there, "query-migrate", NULL, job->answer_ms, err);
	if (status == EVC_OK)
		status = hear_orders(&here, job->answer_ms, NULL, err);
	if (status == EVC_OK)
		status = hear_orders(&there, job->answer_ms, ret_migration, err);
	return status;
}

/* "tcp:HOST:PORT", with brackets where the host is an IPv6 address. */
static const char *tcp_uri(struct evc_arena *arena, const char *host, const char *port)
{
	return evc_arena_printf(arena, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

/* Where the destination may listen: beside its QMP socket, or at the address where that is reached. */
static int choose_listen(struct evc_migrate_job *job, const char **ret_listen, struct evc_error *err)
{
	struct evc_qmp_address here, there;
	const char *slash;
	int status = evc_qmp_address_parse(job->source.address, &here, err);

	if (status == EVC_OK)
		status = evc_qmp_address_parse(job->destination.address, &there, err);
	if (status != EVC_OK)
		return status;
	if (there.kind == EVC_QMP_TCP && (here.kind != EVC_QMP_TCP || strncmp(there.host, "127.", 4) != 0 ||
	                                  !strcmp(here.host, there.host))) {
		*ret_listen = tcp_uri(job->arena, there.host, "0");
		return EVC_OK;
	}
	if (there.kind != EVC_QMP_UNIX || here.kind != EVC_QMP_UNIX)
		return evc_fail(
			err, EVC_ERR_USAGE,
			"where the destination can be reached by the source cannot be told from %s and "
			"%s: name it with --uri",
			job->source.address, job->destination.address);
	slash = strrchr(there.path, '/');
	job->listen_path = evc_arena_printf(job->arena, "%.*sevc-%d.migrate",
	                                    slash ? (int)(slash + 1 - there.path) : 0, there.path, getpid());
	if (!job->listen_path || strlen(job->listen_path) > EVC_QMP_MAX_PATH)
		return evc_fail(err, EVC_ERR_USAGE,
		                "%s: too long for a second socket beside it; name one with --uri",
		                there.path);
	*ret_listen = evc_arena_printf(job->arena, "unix:%s", job->listen_path);
	return EVC_OK;
}

/* Where the destination says that it listens; NULL: it does not say. */
static const char *told_uri(struct evc_migrate_job *job, const json_t *migration)
{
	const json_t *address = json_array_get(json_object_get(migration, "socket-address"), 0);
	const char *type = json_string_value(json_object_get(address, "type")),
		   *path = json_string_value(json_object_get(address, "path")),
		   *host = json_string_value(json_object_get(address, "host")),
		   *port = json_string_value(json_object_get(address, "port"));
	struct evc_qmp_address there;

	if (type && !strcmp(type, "unix") && path)
		return evc_arena_printf(job->arena, "unix:%s", path);
	if (!type || strcmp(type, "inet") != 0 || !host || !port)
		return NULL;
	/* "All addresses" is none to connect to. */
	if ((!strcmp(host, "0.0.0.0") || !strcmp(host, "::")) &&
	    evc_qmp_address_parse(job->destination.address, &there, NULL) == EVC_OK)
		host = there.kind == EVC_QMP_TCP
		               ? evc_arena_string(job->arena, there.host, strlen(there.host))
		               : "127.0.0.1";
	return host ? tcp_uri(job->arena, host, port) : NULL;
}

/* Let the destination listen, by this command; ret_uri is where it says that it does, else listen. */
static int open_listener(struct evc_migrate_job *job, const char *command, const char *listen,
                         const char **ret_uri, struct evc_error *err)
{
	struct orders there = { .end = &job->destination };
	json_t *migration = NULL;
	const char *told;
	int status = send_order(&there, command, json_pack("{s:s}", "uri", listen), job->answer_ms, err);

	if (status == EVC_OK)
		status = send_order(&there, "query-migrate", NULL, job->answer_ms, err);
	if (status == EVC_OK)
		status = hear_orders(&there, job->answer_ms, &migration, err);
	told = status == EVC_OK ? told_uri(job, migration) : NULL;
	json_decref(migration);
	if (status == EVC_OK)
		*ret_uri = told ? told : listen;
	return status;
}

int evc_migrate_begin(struct evc_migrate_job *job, struct evc_error *err)
{
	const struct evc_migrate_options *options = job->options;
	const char *listen = options->listen ? options->listen : options->uri, *uri = NULL;
	json_t *migration = NULL;
	int status = set_up(job, &migration, err);

	if (status == EVC_OK)
		uri = told_uri(job, migration);
	json_decref(migration);
	if (status == EVC_OK && !uri && !listen)
		status = choose_listen(job, &listen, err);
	if (status == EVC_OK && !uri)
		status = open_listener(job, "migrate-incoming", listen, &uri, err);
	job->listening = options->uri ? listen : uri;
	if (options->uri)
		uri = options->uri;
	job->connecting = uri;
	if (status == EVC_OK)
		status = evc_qmp_call(&job->source.qmp, "migrate", json_pack("{s:s}", "uri", uri),
		                      job->answer_ms, NULL, err);
	/* Without an answer it may have begun. */
	job->result.started = status == EVC_OK || job->source.qmp.state != EVC_QMP_READY;
	if (job->result.started && status < 0)
		job->result.why = evc_arena_string(job->arena, err->text, strlen(err->text));
	return job->result.started ? EVC_OK : status;
}

/*
 * Beside the queue where that can be: the main loop may stand still at a page that is not there.  Which port
 * was taken where any may be only the main loop says.
 */
static int recover(struct evc_migrate_job *job, const char *listen, struct evc_error *err)
{
	size_t length = strlen(listen);

	if (!job->destination.qmp.oob || (length > 2 && !strcmp(listen + length - 2, ":0")))
		return open_listener(job, "migrate-recover", listen, &job->mend_uri, err);
	job->mend_uri = job->connecting ? job->connecting : listen;
	return evc_qmp_call_beside(&job->destination.qmp, "migrate-recover",
	                           json_pack("{s:s}", "uri", listen), job->answer_ms, err);
}

void evc_migrate_mend(struct evc_migrate_job *job)
{
	const struct evc_migrate_options *options = job->options;
	const char *listen = job->listening    ? job->listening
	                     : options->listen ? options->listen
	                                       : options->uri;
	struct evc_error err = { 0 };
	int64_t now = evc_migrate_now();
	int status = listen ? EVC_OK : choose_listen(job, &listen, &err);

	/* Told once, it goes on listening; some refuse to be told again. */
	if (status == EVC_OK && (!job->mend_uri || now - job->mended > MEND_AGAIN_MS)) {
		status = recover(job, listen, &err);
		job->mended = now;
	}
	if (job->mend_uri)
		status = evc_qmp_call(&job->source.qmp, "migrate",
		                      json_pack("{s:s, s:b}", "uri",
		                                options->uri ? options->uri : job->mend_uri, "resume", 1),
		                      job->answer_ms, NULL, &err);
	if (status < 0)
		job->result.why = evc_arena_string(job->arena, err.text, strlen(err.text));
}

void evc_migrate_hang_up(struct evc_migrate_job *job)
{
	struct evc_error err;

	evc_qmp_call_beside(&job->source.qmp, "migrate-pause", NULL, job->answer_ms, &err);
	evc_qmp_call_beside(&job->destination.qmp, "migrate-pause", NULL, job->answer_ms, &err);
}
