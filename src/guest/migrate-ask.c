/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU says of its guest, as one side of a plan. */
#include "guest/migrate-private.h"

#include <stdlib.h>
#include <string.h>

/* Any value as text; numbers of either kind print alike. */
static const char *value_text(const json_t *value, struct evc_arena *arena)
{
	char *dumped;
	const char *text;

	if (json_is_string(value))
		return evc_arena_string(arena, json_string_value(value), json_string_length(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (json_is_integer(value))
		return evc_arena_printf(arena, "%lld", (long long)json_integer_value(value));
	if (json_is_real(value))
		return evc_arena_printf(arena, "%.0f", json_real_value(value));
	dumped = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	text = dumped ? evc_arena_string(arena, dumped, strlen(dumped)) : NULL;
	free(dumped);
	return text;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct evc_plan_property *)a)->name,
	              ((const struct evc_plan_property *)b)->name);
}

/* The properties of an object, each name with a prefix; room for more is left at the end. */
static void add_properties(const json_t *object, const char *prefix, struct evc_arena *arena,
                           struct evc_plan_property *items, size_t *n)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		/* The words, and what they hold, are compared bit by bit. */
		if (!strcmp(name, "feature-words") || json_is_null(value))
			continue;
		items[*n] = (struct evc_plan_property){ .name = evc_arena_printf(arena, "%s%s", prefix, name),
			                                .value = value_text(value, arena) };
		if (items[*n].name && items[*n].value)
			(*n)++;
	}
	qsort(items, *n, sizeof(*items), by_name);
}

static struct evc_plan_properties properties_of(const json_t *object, struct evc_arena *arena)
{
	struct evc_plan_property *items =
		evc_arena_array(arena, json_object_size(object) + 1, sizeof(*items));
	size_t n = 0;

	if (items)
		add_properties(object, "", arena, items, &n);
	return (struct evc_plan_properties){ .items = items, .n = n };
}

static struct evc_plan_properties shape_of(const struct evc_given *given, struct evc_arena *arena)
{
	size_t n = 1;
	struct evc_plan_property *items =
		evc_arena_array(arena, json_object_size(given->topology) + 1, sizeof(*items));

	if (!items)
		return (struct evc_plan_properties){ 0 };
	items[0] = (struct evc_plan_property){
		.name = "memory", .value = evc_arena_printf(arena, "%llu", (unsigned long long)given->memory)
	};
	add_properties(given->topology, "smp.", arena, items, &n);
	return (struct evc_plan_properties){ .items = items, .n = n };
}

/* The texts of an array. */
static struct evc_plan_list list_of(const json_t *array, struct evc_arena *arena)
{
	size_t size = json_array_size(array);
	const char **items = evc_arena_array(arena, size + 1, sizeof(*items));
	size_t n = 0;

	for (size_t i = 0; items && i < size; i++) {
		const char *text = json_string_value(json_array_get(array, i));

		if (text && (items[n] = evc_arena_string(arena, text, strlen(text))))
			n++;
	}
	return (struct evc_plan_list){ .items = items, .n = n, .known = items && n == size };
}

/*
 * The devices of the first bus, by place and kind: what is behind bridges has no numbers before the
 * guest's firmware gave them, and is told by kind only.
 */
static void add_pci(const json_t *buses, json_t *list)
{
	const json_t *devices = json_object_get(json_array_get(buses, 0), "devices");

	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i), *id = json_object_get(device, "id");

		json_array_append_new(
			list, json_sprintf("PCI %02llx.%llx %04llx:%04llx",
		                           (long long)json_integer_value(json_object_get(device, "slot")),
		                           (long long)json_integer_value(json_object_get(device, "function")),
		                           (long long)json_integer_value(json_object_get(id, "vendor")),
		                           (long long)json_integer_value(json_object_get(id, "device"))));
	}
}

/* "child<virtio-net-pci>": what -device and device_add made. */
static void add_children(const json_t *children, json_t *list)
{
	for (size_t i = 0; i < json_array_size(children); i++) {
		const char *type = json_string_value(json_object_get(json_array_get(children, i), "type"));
		static const char start[] = "child<";

		if (type && !strncmp(type, start, strlen(start)))
			json_array_append_new(
				list, json_stringn(type + strlen(start), strcspn(type + strlen(start), ">")));
	}
}

int evc_migrate_around_read(struct evc_qmp *qmp, struct evc_migrate_around *ret_around, struct evc_error *err)
{
	const struct evc_qmp_question questions[EVC_MIGRATE_N_AROUND] = {
		[EVC_MIGRATE_AROUND_STATE] = { .command = "query-migrate" },
		[EVC_MIGRATE_AROUND_PCI] = { .command = "query-pci" },
		[EVC_MIGRATE_AROUND_NAMED] = { .command = "qom-list",
		                               .arguments =
		                                       json_pack("{s:s}", "path", "/machine/peripheral") },
		[EVC_MIGRATE_AROUND_UNNAMED] = { .command = "qom-list",
		                                 .arguments = json_pack("{s:s}", "path",
		                                                        "/machine/peripheral-anon") },
	};
	int status = evc_qmp_call_all(qmp, questions, EVC_MIGRATE_N_AROUND, EVC_QMP_TIMEOUT,
	                              ret_around->answers, err);

	if (status == EVC_OK && !ret_around->answers[EVC_MIGRATE_AROUND_STATE])
		status = evc_qmp_call(qmp, "query-migrate", NULL, EVC_QMP_TIMEOUT,
		                      &ret_around->answers[EVC_MIGRATE_AROUND_STATE], err);
	return status;
}

void evc_migrate_around_free(struct evc_migrate_around *around)
{
	for (size_t i = 0; i < EVC_MIGRATE_N_AROUND; i++)
		json_decref(around->answers[i]);
	*around = (struct evc_migrate_around){ 0 };
}

/* The devices, as far as all who know of some could be asked. */
static struct evc_plan_list devices_of(const struct evc_migrate_around *around, struct evc_arena *arena)
{
	json_t *const *answers = around->answers, *list = json_array();
	struct evc_plan_list devices;

	add_pci(answers[EVC_MIGRATE_AROUND_PCI], list);
	add_children(answers[EVC_MIGRATE_AROUND_NAMED], list);
	add_children(answers[EVC_MIGRATE_AROUND_UNNAMED], list);
	devices = list_of(list, arena);
	for (size_t i = EVC_MIGRATE_AROUND_PCI; i < EVC_MIGRATE_N_AROUND; i++)
		devices.known &= answers[i] != NULL;
	json_decref(list);
	return devices;
}

int evc_migrate_side(const struct evc_migrate_end *end, const struct evc_given *given,
                     const struct evc_migrate_around *around, struct evc_arena *arena,
                     struct evc_plan_side *ret_side, struct evc_error *err)
{
	struct evc_plan_vcpu *vcpus = evc_arena_array(arena, given->n_cpus, sizeof(*vcpus));
	const json_t *state = around->answers[EVC_MIGRATE_AROUND_STATE];
	struct evc_plan_side side = {
		.name = end->called,
		.qemu = given->qemu,
		.accel = given->accel,
		.machine = given->machine,
		.status = given->status,
		.shape = shape_of(given, arena),
		.vcpus = vcpus,
		.n_vcpus = given->n_cpus,
		.blockers = list_of(json_object_get(state, "blocked-reasons"), arena),
		.devices = devices_of(around, arena),
		.unavailable.known = true,
	};

	if (!vcpus)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	side.blockers.known = true; /* there is no such member when nothing blocks */
	for (size_t i = 0; i < given->n_cpus; i++) {
		struct evc_plan_list unavailable = list_of(given->cpus[i].unavailable, arena);

		vcpus[i] =
			(struct evc_plan_vcpu){ .words = given->cpus[i].dump,
			                        .properties = properties_of(given->cpus[i].properties, arena),
			                        .n_alike = given->cpus[i].n_alike };
		if (!i || unavailable.n > side.unavailable.n)
			side.unavailable = unavailable;
	}
	if (evc_arena_failed(arena))
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	*ret_side = side;
	return EVC_OK;
}

/* What qom-set can change in a QEMU that is up, and the words, which nothing should. */
static const char *const telling[] = { "feature-words", "family", "model", "stepping", "vendor", "model-id" };

enum { N_TELLING = sizeof(telling) / sizeof(telling[0]) };

static enum evc_verdict kind_is_same(struct evc_migrate_job *job, const struct evc_given_cpu *cpu)
{
	struct evc_qmp_question questions[N_TELLING];
	json_t *now[N_TELLING];
	struct evc_error err;
	enum evc_verdict same = EVC_YES;

	for (size_t i = 0; i < N_TELLING; i++)
		questions[i] =
			(struct evc_qmp_question){ .command = "qom-get",
			                           .arguments = json_pack("{s:s, s:s}", "path", cpu->path,
			                                                  "property", telling[i]) };
	if (evc_qmp_call_all(&job->destination.qmp, questions, N_TELLING, job->answer_ms, now, &err) < 0)
		return EVC_UNKNOWN;
	for (size_t i = 0; i < N_TELLING; i++) {
		const json_t *before = json_object_get(cpu->properties, telling[i]);
		bool equal = before && json_equal(before, now[i]);

		json_decref(now[i]);
		if (equal)
			continue;
		same = EVC_NO;
		evc_findings_add(job->findings,
		                 (struct evc_finding){ .kind = EVC_FINDING_CHANGES,
		                                       .severity = EVC_BLOCKS,
		                                       .feature = EVC_N_FEATURES,
		                                       .subject = job->destination.called,
		                                       .other = telling[i],
		                                       .detail = "it was changed since it was compared" });
	}
	return same;
}

enum evc_verdict evc_migrate_is_same(struct evc_migrate_job *job)
{
	enum evc_verdict same = EVC_YES;

	for (size_t i = 0; i < job->destination_given.n_cpus; i++)
		same = evc_verdict_worse(same, kind_is_same(job, &job->destination_given.cpus[i]));
	return same;
}
