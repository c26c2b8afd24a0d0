/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/given.h"

#include "core/qemu.h"
#include "host/cpuid.h"
#include "text/qom.h"

#include <string.h>

enum { MAX_VCPUS = 4096 };

/* Of each vCPU but the first: if these are the same, everything is. */
static const char *const telling[] = {
	"vendor", "family",      "model",     "stepping",      "model-id",      "level",
	"xlevel", "level-func7", "phys-bits", "tsc-frequency", "feature-words", "unavailable-features",
};
enum { N_TELLING = sizeof(telling) / sizeof(telling[0]) };

static const char *copy(struct evc_arena *arena, const json_t *text)
{
	const char *string = json_string_value(text), *result = NULL;

	if (string)
		result = evc_arena_string(arena, string, strlen(string));
	return result ? result : "";
}

static int query(struct evc_qmp *qmp, const char *command, json_t **ret_value, struct evc_error *err)
{
	return evc_qmp_call(qmp, command, NULL, EVC_QMP_TIMEOUT, ret_value, err);
}

static int get(struct evc_qmp *qmp, const char *path, const char *property, json_t **ret_value,
               struct evc_error *err)
{
	return evc_qmp_call(qmp, "qom-get", json_pack("{s:s, s:s}", "path", path, "property", property),
	                    EVC_QMP_TIMEOUT, ret_value, err);
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

/* Which accelerator: QEMU tells of KVM whether it is in use, and of translated code only when it translates.
 */
static int ask_accel(struct evc_qmp *qmp, const char **ret_accel, struct evc_error *err)
{
	json_t *value = NULL;
	bool kvm;
	int status = query(qmp, "query-kvm", &value, err);

	if (status < 0)
		return status;
	kvm = json_is_true(json_object_get(value, "enabled"));
	json_decref(value);
	*ret_accel = "kvm";
	if (kvm)
		return EVC_OK;
	status = query(qmp, "x-query-jit", NULL, err);
	*ret_accel = status == EVC_OK ? "tcg" : "";
	return status < 0 && qmp->state != EVC_QMP_READY ? status : EVC_OK;
}

/* A QEMU without SEV, or under another accelerator, refuses to speak of it. */
static int ask_encryption(struct evc_qmp *qmp, bool *ret_encrypted, struct evc_error *err)
{
	json_t *value = NULL;
	int status = query(qmp, "query-sev", &value, err);

	*ret_encrypted = json_is_true(json_object_get(value, "enabled"));
	json_decref(value);
	return status < 0 && qmp->state != EVC_QMP_READY ? status : EVC_OK;
}

static int ask_machine(struct evc_qmp *qmp, struct evc_arena *arena, struct evc_given *given,
                       struct evc_error *err)
{
	json_t *name = NULL, *uuid = NULL, *state = NULL, *type = NULL, *memory = NULL;
	int status = query(qmp, "query-name", &name, err);

	if (status == EVC_OK)
		status = query(qmp, "query-uuid", &uuid, err);
	if (status == EVC_OK)
		status = query(qmp, "query-status", &state, err);
	if (status == EVC_OK)
		status = get(qmp, "/machine", "type", &type, err);
	if (status == EVC_OK)
		status = get(qmp, "/machine", "smp", &given->topology, err);
	if (status == EVC_OK)
		status = query(qmp, "query-memory-size-summary", &memory, err);
	if (status == EVC_OK)
		status = ask_accel(qmp, &given->accel, err);
	if (status == EVC_OK)
		status = ask_encryption(qmp, &given->encrypted, err);
	given->name = copy(arena, json_object_get(name, "name"));
	given->uuid = copy(arena, json_object_get(uuid, "UUID"));
	/* all zeros: none was given */
	if (!strpbrk(given->uuid, "123456789abcdef"))
		given->uuid = "";
	given->status = copy(arena, json_object_get(state, "status"));
	given->machine = machine_name(arena, type);
	given->memory = (uint64_t)json_integer_value(json_object_get(memory, "base-memory")) +
	                (uint64_t)json_integer_value(json_object_get(memory, "plugged-memory"));
	json_decref(name);
	json_decref(uuid);
	json_decref(state);
	json_decref(type);
	json_decref(memory);
	return status;
}

/* Values of many properties of one object, as an object by name. */
static int ask_properties(struct evc_qmp *qmp, const char *path, json_t *names, json_t **ret_values,
                          struct evc_error *err)
{
	json_t *arguments = json_array(), *values = NULL, *result = json_object();
	int status;

	for (size_t i = 0; i < json_array_size(names); i++)
		json_array_append_new(arguments, json_pack("{s:s, s:O}", "path", path, "property",
		                                           json_array_get(names, i)));
	status = evc_qmp_call_each(qmp, "qom-get", arguments, 2 * EVC_QMP_TIMEOUT, &values, err);
	for (size_t i = 0; status == EVC_OK && i < json_array_size(names); i++)
		if (!json_is_null(json_array_get(values, i)))
			json_object_set(result, json_string_value(json_array_get(names, i)),
			                json_array_get(values, i));
	json_decref(values);
	if (status == EVC_OK)
		*ret_values = result;
	else
		json_decref(result);
	return status;
}

/* Is it in "feature-words", so that nobody need ask for it alone? */
static bool is_in_words(const char *name)
{
	enum evc_feature_id ids[EVC_MAX_MEANINGS];
	size_t n = evc_feature_lookup_all(evc_span_from(name), "qemu", ids);

	for (size_t i = 0; i < n; i++) {
		struct evc_bit bit = evc_features[ids[i]].bit;

		if (evc_qemu_properties[ids[i]].since && !strcmp(evc_feature_name_in(ids[i], "qemu"), name))
			return bit.reg != EVC_MSR && bit.leaf >> 16 != 0x4000;
	}
	return false;
}

static bool starts(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/*
 * The properties that belong to the CPU's model, as an object: null for those whose value is not asked
 * for, because feature words hold it or because it is an old name of another.  A monitor reads
 * byte by byte (QEMU 7.2), so that each question costs a millisecond on a busy host: of Hyper-V's interface,
 * which only KVM has, nobody asks without KVM, and names in VMX's MSRs are kept for later.
 */
static int list_properties(struct evc_qmp *qmp, const char *path, bool kvm, json_t **ret_names,
                           json_t **ret_vmx, json_t **ret_values, struct evc_error *err)
{
	json_t *list = NULL,
	       *names = json_pack("[s, s, s, s, s, s]", "feature-words", "unavailable-features", "lm", "la57",
	                          "monitor", "svm"),
	       *vmx = json_array(), *values = json_object();
	int status =
		evc_qmp_call(qmp, "qom-list", json_pack("{s:s}", "path", path), EVC_QMP_TIMEOUT, &list, err);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *property = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(property, "name"));
		const char *type = json_string_value(json_object_get(property, "type"));

		if (!name || !type || !evc_qom_is_model(name, type))
			continue;
		json_object_set_new(values, name, json_null());
		if (strchr(name, '_') || (!strcmp(type, "bool") && is_in_words(name)) ||
		    (!kvm && starts(name, "hv-")))
			continue;
		json_array_append_new(starts(name, "vmx-") ? vmx : names, json_string(name));
	}
	json_decref(list);
	if (status == EVC_OK) {
		*ret_names = names;
		*ret_vmx = vmx;
		*ret_values = values;
		return EVC_OK;
	}
	json_decref(names);
	json_decref(vmx);
	json_decref(values);
	return status;
}

static int ask_all(struct evc_qmp *qmp, const char *path, bool kvm, json_t **ret_values,
                   struct evc_error *err)
{
	json_t *names = NULL, *vmx = NULL, *values = NULL, *told = NULL, *more = NULL;
	int status = list_properties(qmp, path, kvm, &names, &vmx, &values, err);

	if (status == EVC_OK && json_array_size(vmx))
		json_array_append_new(names, json_string("vmx"));
	if (status == EVC_OK)
		status = ask_properties(qmp, path, names, &told, err);
	/* A guest without VMX has none of its MSRs. */
	if (status == EVC_OK && json_array_size(vmx) && !json_is_false(json_object_get(told, "vmx")))
		status = ask_properties(qmp, path, vmx, &more, err);
	json_decref(names);
	json_decref(vmx);
	if (status == EVC_OK) {
		json_object_update(values, told);
		if (more)
			json_object_update(values, more);
	}
	json_decref(told);
	json_decref(more);
	if (status == EVC_OK)
		*ret_values = values;
	else
		json_decref(values);
	return status;
}

/* Is a vCPU like one that was read whole? */
static bool is_like(const struct evc_given_cpu *cpu, const json_t *values)
{
	for (size_t i = 0; i < N_TELLING; i++) {
		json_t *value = json_object_get(values, telling[i]);
		json_t *other = json_object_get(cpu->properties, telling[i]);

		if (!strcmp(telling[i], "unavailable-features"))
			other = cpu->unavailable;
		if (value != other && !json_equal(value, other))
			return false;
	}
	return true;
}

static int add_kind(struct evc_qmp *qmp, struct evc_arena *arena, const char *path, struct evc_given *given,
                    struct evc_error *err)
{
	struct evc_given_cpu *cpu = &given->cpus[given->n_cpus];
	json_t *values = NULL;
	int status = ask_all(qmp, path, strcmp(given->accel, "tcg") != 0, &values, err);

	if (status < 0)
		return status;
	cpu->path = evc_arena_string(arena, path, strlen(path));
	cpu->type = copy(arena, json_object_get(values, "type"));
	cpu->unavailable = json_incref(json_object_get(values, "unavailable-features"));
	json_object_del(values, "unavailable-features");
	cpu->properties = values;
	cpu->n_alike = 1;
	given->n_cpus++;
	return EVC_OK;
}

static int add_vcpu(struct evc_qmp *qmp, struct evc_arena *arena, const char *path, struct evc_given *given,
                    struct evc_error *err)
{
	json_t *names = json_array(), *values = NULL;
	int status;

	for (size_t i = 0; i < N_TELLING; i++)
		json_array_append_new(names, json_string(telling[i]));
	status = given->n_cpus ? ask_properties(qmp, path, names, &values, err) : EVC_OK;
	json_decref(names);
	for (size_t i = 0; status == EVC_OK && i < given->n_cpus; i++)
		if (is_like(&given->cpus[i], values)) {
			given->cpus[i].n_alike++;
			json_decref(values);
			return EVC_OK;
		}
	json_decref(values);
	return status == EVC_OK ? add_kind(qmp, arena, path, given, err) : status;
}

static int ask_vcpus(struct evc_qmp *qmp, struct evc_arena *arena, struct evc_given *given,
                     struct evc_error *err)
{
	json_t *list = NULL;
	int status = query(qmp, "query-cpus-fast", &list, err);

	if (status < 0)
		return status;
	given->n_vcpus = json_array_size(list);
	if (!given->n_vcpus || given->n_vcpus > MAX_VCPUS)
		status = evc_fail(err, EVC_ERR_LIMIT, "%zu vCPUs: expected 1 to %d", given->n_vcpus,
		                  MAX_VCPUS);
	given->cpus = evc_arena_array(arena, given->n_vcpus, sizeof(*given->cpus));
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
			status = add_vcpu(qmp, arena, path, given, err);
	}
	json_decref(list);
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

int evc_given_read(struct evc_qmp *qmp, struct evc_arena *arena, struct evc_given *ret_given,
                   struct evc_error *err)
{
	struct evc_given given = { .qemu = evc_qmp_version_text(qmp, arena) };
	int status = ask_machine(qmp, arena, &given, err);

	if (status == EVC_OK)
		status = ask_vcpus(qmp, arena, &given, err);
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
