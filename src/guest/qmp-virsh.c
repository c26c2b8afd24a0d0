/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QMP where libvirt holds the socket: virsh passes commands on and prints the answers. */
#include "guest/qmp-private.h"
#include "host/spawn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void evc_qmp_put_virsh(const struct evc_qmp *qmp, const char *text, struct evc_sink *script)
{
	evc_sink_puts(script, script->length ? "; qemu-monitor-command \"" : "qemu-monitor-command \"");
	for (const char *c = qmp->domain; *c; c++) {
		if (*c == '"' || *c == '\\')
			evc_sink_puts(script, "\\");
		evc_sink_write(script, c, 1);
	}
	evc_sink_puts(script, "\" '");
	/* a quote can only be in a JSON string, where its number does as well */
	for (; *text; text++)
		if (*text == '\'')
			evc_sink_puts(script, "\\u0027");
		else
			evc_sink_write(script, text, 1);
	evc_sink_puts(script, "'");
}

int evc_qmp_ask_virsh(struct evc_qmp *qmp, const struct evc_sink *script, int64_t timeout_ms,
                      struct evc_error *err)
{
	const char *const with_uri[] = { "virsh", "-q", "-c", qmp->uri, script->text, NULL };
	const char *const without[] = { "virsh", "-q", script->text, NULL };
	struct evc_arena arena = { 0 };
	const char *output;
	int status;

	if (script->failed)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_qmp_stream_free(&qmp->stream);
	status = evc_spawn_output(qmp->uri ? with_uri : without, timeout_ms > 0 ? (unsigned)timeout_ms : 0,
	                          &arena, &output, err);
	if (status < 0)
		status = evc_qmp_fail_as(qmp, EVC_QMP_GONE, status, err);
	else
		evc_qmp_feed(&qmp->stream, output, strlen(output));
	evc_arena_free(&arena);
	return status;
}

int evc_qmp_take_printed(struct evc_qmp *qmp, const char *command, struct evc_qmp_message *ret_answer,
                         struct evc_error *err)
{
	int status = evc_qmp_next(&qmp->stream, ret_answer, err);

	if (status == EVC_OK && !ret_answer->object)
		status = evc_fail(err, EVC_ERR_INPUT, "virsh printed no answer of QEMU's to %s", command);
	return status < 0 ? evc_qmp_fail_as(qmp, EVC_QMP_GARBAGE, status, err) : EVC_OK;
}

int evc_qmp_call_libvirt(struct evc_qmp *qmp, const char *command, json_t *arguments, unsigned timeout_ms,
                         struct evc_qmp_message *ret_answer, struct evc_error *err)
{
	char *text = evc_qmp_write_command(qmp, command, arguments);
	struct evc_sink script = { 0 };
	int status;

	if (!text)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	evc_qmp_put_virsh(qmp, text, &script);
	status = evc_qmp_ask_virsh(qmp, &script, timeout_ms, err);
	if (status == EVC_OK)
		status = evc_qmp_take_printed(qmp, command, ret_answer, err);
	evc_sink_free(&script);
	free(text);
	return status;
}

int evc_qmp_open_domain(struct evc_qmp *ret_qmp, const char *uri, const char *domain, unsigned timeout_ms,
                        struct evc_error *err)
{
	char name[sizeof(ret_qmp->name)];
	struct evc_qmp qmp;
	json_t *version = NULL;
	int status;

	snprintf(name, sizeof(name), "domain %s%s%s", domain, uri ? " of " : "", uri ? uri : "");
	evc_qmp_begin(&qmp, name);
	qmp.uri = uri;
	qmp.domain = domain;
	status = evc_qmp_call(&qmp, "query-version", NULL, timeout_ms, &version, err);
	if (status == EVC_OK && !evc_qmp_version(version, qmp.version))
		status = evc_qmp_fail_as(&qmp, EVC_QMP_GARBAGE,
		                         evc_fail(err, EVC_ERR_INPUT, "expected QEMU's version"), err);
	json_decref(version);
	return evc_qmp_finish_open(&qmp, status, ret_qmp);
}
