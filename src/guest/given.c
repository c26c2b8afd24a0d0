/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/given-private.h"

#include "host/cpuid.h"
#include "text/qom.h"

#include <string.h>

enum { MAX_VCPUS = 4096 };

/* Where the first vCPU nearly always is, so that its properties are listed before QEMU says where. */
static const char first_vcpu[] = "/machine/unattached/device[0]";
/* Of other vCPUs: if these are the same, everything is. */
static const char *const telling[] = {
	"feature-words", "unavailable-features",
	"vendor",        "family",
	"model",         "stepping",
	"model-id",      "level",
	"xlevel",        "level-func7",
	"phys-bits",     "tsc-frequency",
};
enum {
	N_TELLING = sizeof(telling) / sizeof(telling[0]),
	N_BRIEF = 1, /* of them, for vCPUs that the machine made: all of one line, -cpu */
};

/* What is asked of a QEMU first, all at once. */
enum {
	STATUS,
	TYPE,
	TOPOLOGY,
	MEMORY,
	KVM,
	JIT,
	SEV,
	VCPUS,
	LISTING,
	NAME, /* from here on not for a comparison */
	UUID,
	N_FIRST,
};

static const char *copy(struct evc_arena *arena, const json_t *text)
{
	const char *string = json_string_value(text), *result = NULL;

	if (string)
		result = evc_arena_string(arena, string, strlen(string));
	return result ? result : "";
}

struct evc_qmp_question evc_given_get(const char *path, const char *property)
{
	return (struct evc_qmp_question){
		.command = "qom-get", .arguments = json_pack("{s:s, s:s}", "path", path, "property", property)
	};
}

/* "pc-q35-7.2-machine" is a type of object; what it is called with -machine has no "-machine". */
static const char *machine_name(struct evc_arena *arena, const json_t *type)
{
	static const char end[] = "-machine";
	const char *text = json_string_value(type), *name;
	size_t length = text ? strlen(text) : 0, tail = strlen(end);

	if (length > tail && !strcmp(text + length - tail, end))
		length -= tail;
	name = text ? evc_arena_string(arena, text, length) : NULL;
	return name ? name : "";
}

/* Without these answers nothing can be said: QEMU's reason for the one that is missing. */
static int check_answers(struct evc_qmp *qmp, json_t *const *answers, struct evc_error *err)
{
	static const char *const names[] = { [STATUS] = "query-status",
		                             [MEMORY] = "query-memory-size-summary",
		                             [KVM] = "query-kvm",
		                             [VCPUS] = "query-cpus-fast" };

	for (int i = 0; i <= VCPUS; i++)
		if (!answers[i] && names[i]) {
			int status = evc_qmp_call(qmp, names[i], NULL, EVC_QMP_TIMEOUT, NULL, err);

			return status < 0 ? status : evc_fail(err, EVC_ERR_IO, "QEMU refused %s", names[i]);
		}
	if (!answers[TYPE] || !answers[TOPOLOGY])
		return evc_fail(err, EVC_ERR_UNSUPPORTED,
		                "QEMU does not tell its machine's type and topology");
	return EVC_OK;
}

/* Which accelerator: QEMU tells of KVM whether it is in use, and of translated code only when it translates.
 */
static const char *accel_of(json_t *const *answers)
{
	return json_is_true(json_object_get(answers[KVM], "enabled")) ? "kvm" : answers[JIT] ? "tcg" : "";
}

static int ask_first(struct evc_qmp *qmp, enum evc_given_wanted wanted, json_t *ret_answers[static N_FIRST],
                     struct evc_error *err)
{
	const struct evc_qmp_question questions[N_FIRST] = {
		[STATUS] = { .command = "query-status" },
		[TYPE] = evc_given_get("/machine", "type"),
		[TOPOLOGY] = evc_given_get("/machine", "smp"),
		[MEMORY] = { .command = "query-memory-size-summary" },
		[KVM] = { .command = "query-kvm" },
		[JIT] = { .command = "x-query-jit" },
		/* refused by one without SEV, or under another accelerator */
		[SEV] = { .command = "query-sev" },
		[VCPUS] = { .command = "query-cpus-fast" },
		[LISTING] = { .command = "qom-list", .arguments = json_pack("{s:s}", "path", first_vcpu) },
		[NAME] = { .command = "query-name" },
		[UUID] = { .command = "query-uuid" },
	};

	return evc_qmp_call_all(qmp, questions, wanted == EVC_GIVEN_ALL ? N_FIRST : NAME, EVC_QMP_TIMEOUT,
	                        ret_answers, err);
}

static void take_machine(json_t *const *answers, struct evc_arena *arena, struct evc_given *given)
{
	given->name = copy(arena, json_object_get(answers[NAME], "name"));
	given->uuid = copy(arena, json_object_get(answers[UUID], "UUID"));
	/* all zeros: none was given */
	if (!strpbrk(given->uuid, "123456789abcdef"))
		given->uuid = "";
	given->status = copy(arena, json_object_get(answers[STATUS], "status"));
	given->machine = machine_name(arena, answers[TYPE]);
	given->topology = json_incref(answers[TOPOLOGY]);
	given->memory = (uint64_t)json_integer_value(json_object_get(answers[MEMORY], "base-memory")) +
	                (uint64_t)json_integer_value(json_object_get(answers[MEMORY], "plugged-memory"));
	given->accel = accel_of(answers);
	given->encrypted = json_is_true(json_object_get(answers[SEV], "enabled"));
}

/* Is a vCPU like one that was read whole, in as much as was asked? */
static bool is_like(const struct evc_given_cpu *cpu, const json_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *value = json_object_get(values, telling[i]);
		json_t *other = json_object_get(cpu->properties, telling[i]);

		if (!strcmp(telling[i], "unavailable-features"))
			other = cpu->unavailable;
		if (value != other && !json_equal(value, other))
			return false;
	}
	return true;
}

/* What the vCPUs are asked with. */
struct asking {
	struct evc_qmp *qmp;
	struct evc_arena *arena;
	enum evc_given_wanted wanted;
	json_t *listing; /* of first_vcpu; NULL: it was not to be had */
};

static int add_kind(const struct asking *asking, const char *path, struct evc_given *given,
                    struct evc_error *err)
{
	struct evc_given_cpu *cpu = &given->cpus[given->n_cpus];
	json_t *values = NULL, *listing = strcmp(path, first_vcpu) != 0 ? NULL : asking->listing;
	int status = evc_given_ask_cpu(asking->qmp, path, listing, strcmp(given->accel, "tcg") != 0,
	                               asking->wanted, &values, err);

	if (status < 0)
		return status;
	cpu->path = evc_arena_string(asking->arena, path, strlen(path));
	cpu->type = copy(asking->arena, json_object_get(values, "type"));
	cpu->unavailable = json_incref(json_object_get(values, "unavailable-features"));
	json_object_del(values, "unavailable-features");
	cpu->properties = values;
	cpu->n_alike = 1;
	given->n_cpus++;
	return EVC_OK;
}

/* How much has to be asked of a vCPU to see whether it is like another. */
static size_t n_telling(const char *path)
{
	static const char made[] = "/machine/unattached/";

	return strncmp(path, made, strlen(made)) != 0 ? N_TELLING : N_BRIEF;
}

static int add_vcpu(const struct asking *asking, const char *path, struct evc_given *given,
                    struct evc_error *err)
{
	json_t *names = json_array(), *values = json_object();
	size_t n = n_telling(path);
	int status = EVC_OK;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(names, json_string(telling[i]));
	if (given->n_cpus)
		status = evc_given_ask_properties(asking->qmp, path, names, values, err);
	json_decref(names);
	for (size_t i = 0; status == EVC_OK && i < given->n_cpus; i++)
		if (is_like(&given->cpus[i], values, n)) {
			given->cpus[i].n_alike++;
			json_decref(values);
			return EVC_OK;
		}
	json_decref(values);
	return status == EVC_OK ? add_kind(asking, path, given, err) : status;
}

static int ask_vcpus(const struct asking *asking, const json_t *list, struct evc_given *given,
                     struct evc_error *err)
{
	int status = EVC_OK;

	given->n_vcpus = json_array_size(list);
	if (!given->n_vcpus || given->n_vcpus > MAX_VCPUS)
		status = evc_fail(err, EVC_ERR_LIMIT, "%zu vCPUs: expected 1 to %d", given->n_vcpus,
		                  MAX_VCPUS);
	given->cpus = evc_arena_array(asking->arena, given->n_vcpus, sizeof(*given->cpus));
	if (status == EVC_OK && !given->cpus)
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; status == EVC_OK && i < given->n_vcpus; i++) {
		const json_t *vcpu = json_array_get(list, i);
		const char *path = json_string_value(json_object_get(vcpu, "qom-path")),
			   *target = json_string_value(json_object_get(vcpu, "target"));

		if (target && strcmp(target, "x86_64") != 0 && strcmp(target, "i386") != 0)
			status = evc_fail(err, EVC_ERR_UNSUPPORTED,
			                  "it is a guest of another kind (%s): x86 only", target);
		else if (!path)
			status = evc_fail(err, EVC_ERR_INPUT, "QEMU told no qom-path of vCPU %zu", i);
		else
			status = add_vcpu(asking, path, given, err);
	}
	return status;
}

/* vCPUs in one package, from QEMU's "smp"; 0 when it does not tell. */
static unsigned package_size(const json_t *topology)
{
	static const char *const parts[] = { "dies", "clusters", "modules", "cores", "threads" };
	json_int_t size = json_is_integer(json_object_get(topology, "cores"));

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_int_t part = json_integer_value(json_object_get(topology, parts[i]));

		size *= part > 0 && part <= MAX_VCPUS ? part : 1;
	}
	return size > 0 && size <= MAX_VCPUS ? (unsigned)size : 0;
}

/* What was there and not asked for has served. */
static void forget_nulls(json_t *properties)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(properties, next, name, value) if (json_is_null(value))
		json_object_del(properties, name);
}

/* The dumps, once everything was heard. */
static int make_dumps(struct evc_given *given, struct evc_arena *arena, struct evc_error *err)
{
	int status = EVC_OK;
	uint32_t cpu = 0;

	for (size_t i = 0; status == EVC_OK && i < given->n_cpus; i++) {
		struct evc_qom_machine machine = { .kvm = !strcmp(given->accel, "kvm"),
			                           .plain = !given->encrypted,
			                           .n_alike = (unsigned)given->cpus[i].n_alike,
			                           .n_shared = package_size(given->topology) };

		status = evc_qom_dump(given->cpus[i].properties, &machine, arena, &given->cpus[i].dump, err);
		given->cpus[i].dump.cpu = cpu;
		cpu += machine.n_alike;
		forget_nulls(given->cpus[i].properties);
	}
	if (status == EVC_OK)
		given->tsc_khz = evc_qom_tsc_khz(given->cpus[0].properties);
	return status;
}

int evc_given_read(struct evc_qmp *qmp, enum evc_given_wanted wanted, struct evc_arena *arena,
                   struct evc_given *ret_given, struct evc_error *err)
{
	struct evc_given given = { .qemu = evc_qmp_version_text(qmp, arena) };
	struct asking asking = { .qmp = qmp, .arena = arena, .wanted = wanted };
	json_t *answers[N_FIRST] = { 0 };
	int status = ask_first(qmp, wanted, answers, err);

	if (status == EVC_OK)
		status = check_answers(qmp, answers, err);
	if (status == EVC_OK) {
		take_machine(answers, arena, &given);
		asking.listing = answers[LISTING];
		status = ask_vcpus(&asking, answers[VCPUS], &given, err);
	}
	for (size_t i = 0; i < N_FIRST; i++)
		json_decref(answers[i]);
	if (status == EVC_OK)
		status = make_dumps(&given, arena, err);
	if (status == EVC_OK && evc_arena_failed(arena))
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	if (status < 0) {
		evc_error_set_origin(err, qmp->name);
		evc_given_free(&given);
		return status;
	}
	*ret_given = given;
	return EVC_OK;
}

int evc_given_add_host(struct evc_given *given, struct evc_arena *arena, struct evc_error *err)
{
	struct evc_dump_builder builder;
	struct evc_dump host;
	int status;

	evc_dump_begin(&builder, arena);
	evc_cpuid_read(&builder);
	status = evc_dump_finish(&builder, &host, err);
	for (size_t i = 0; status == EVC_OK && i < given->n_cpus; i++)
		status = evc_qom_states(&given->cpus[i].dump, &host, arena, &given->cpus[i].dump, err);
	return status;
}

void evc_given_free(struct evc_given *given)
{
	for (size_t i = 0; i < given->n_cpus; i++) {
		json_decref(given->cpus[i].properties);
		json_decref(given->cpus[i].unavailable);
	}
	json_decref(given->topology);
	*given = (struct evc_given){ 0 };
}

int evc_given_host(const struct evc_given *given, const char *name, struct evc_arena *arena,
                   struct evc_host *ret_host, struct evc_error *err)
{
	struct evc_dump *dumps = evc_arena_array(arena, given->n_cpus, sizeof(*dumps));
	const char *origin =
		evc_arena_printf(arena, "QEMU %s, %s, %s, asked from outside", given->qemu, given->machine,
	                         *given->accel ? given->accel : "accelerator unknown");

	if (!dumps || !origin)
		return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; i < given->n_cpus; i++)
		dumps[i] = given->cpus[i].dump;
	*ret_host = (struct evc_host){ .name = name,
		                       .format = "qmp",
		                       .cpus = dumps,
		                       .n_cpus = given->n_cpus,
		                       .facts = { .kernel = "",
		                                  .qemu = given->qemu,
		                                  .firmware = "",
		                                  .kvm_module = "",
		                                  .kvm_options = "",
		                                  .origin = origin,
		                                  .licence = "",
		                                  .tsc_khz = given->tsc_khz } };
	return EVC_OK;
}

json_t *evc_given_json(const struct evc_given *given)
{
	json_t *object =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:O}", "qemu", given->qemu, "name",
	                  given->name, "uuid", given->uuid, "status", given->status, "machine",
	                  given->machine, "accel", given->accel, "memory", (json_int_t)given->memory, "vcpus",
	                  (int)given->n_vcpus, "topology", given->topology);
	json_t *cpus = json_array();

	for (size_t i = 0; i < given->n_cpus; i++) {
		const struct evc_given_cpu *cpu = &given->cpus[i];

		json_array_append_new(cpus, json_pack("{s:s, s:s, s:i, s:O, s:O*}", "path", cpu->path, "type",
		                                      cpu->type, "alike", (int)cpu->n_alike, "properties",
		                                      cpu->properties, "unavailable", cpu->unavailable));
	}
	json_object_set_new(object, "encrypted", json_boolean(given->encrypted));
	json_object_set_new(object, "tsc_khz", json_integer(given->tsc_khz));
	json_object_set_new(object, "cpus", cpus);
	return object;
}
