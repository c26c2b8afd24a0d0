/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The properties of one vCPU, asked with as few words as possible: QEMU (7.2 to 10) reads its monitor byte by
 * byte, so that each question costs a millisecond on a busy host, and a vCPU has 440 properties.
 *
 * Feature words say what bits of CPUID are on, so nobody asks for those by name.  A register of its own
 * (an MSR) whose bits are properties is asked for only if the guest has the CPUID feature that it needs: QEMU
 * clears the others itself (data/needs.txt).  What only KVM shows a guest is of no interest without it.
 */
#include "guest/given-private.h"

#include "core/plan.h"
#include "core/qemu.h"
#include "text/qom.h"

#include <stdlib.h>
#include <string.h>

/* In feature words, and looked for by name. */
static const char *const named_bits[] = { "lm", "la57", "monitor", "svm", "vmx" };

int evc_given_ask_properties(struct evc_qmp *qmp, const char *path, const json_t *names, json_t *values,
                             struct evc_error *err)
{
	size_t n = json_array_size(names);
	struct evc_qmp_question *questions = calloc(n + 1, sizeof(*questions));
	json_t **answers = calloc(n + 1, sizeof(json_t *));
	int status = EVC_OK;

	if (!questions || !answers)
		status = evc_fail(err, EVC_ERR_MEMORY, "out of memory");
	for (size_t i = 0; status == EVC_OK && i < n; i++)
		questions[i] = evc_given_get(path, json_string_value(json_array_get(names, i)));
	if (status == EVC_OK)
		status = evc_qmp_call_all(qmp, questions, n, 2 * EVC_QMP_TIMEOUT, answers, err);
	for (size_t i = 0; status == EVC_OK && i < n; i++)
		if (answers[i])
			json_object_set_new(values, json_string_value(json_array_get(names, i)), answers[i]);
	free(questions);
	free(answers);
	return status;
}

/* The feature of a property of QEMU that is one bit of its own; EVC_N_FEATURES: none. */
static enum evc_feature_id feature_of(const char *name)
{
	enum evc_feature_id ids[EVC_MAX_MEANINGS];
	size_t n = evc_feature_lookup_all(evc_span_from(name), "qemu", ids);

	for (size_t i = 0; i < n; i++)
		if (evc_qemu_properties[ids[i]].since && !strcmp(evc_feature_name_in(ids[i], "qemu"), name))
			return ids[i];
	return EVC_N_FEATURES;
}

static bool starts(const char *name, const char *prefix)
{
	return !strncmp(name, prefix, strlen(prefix));
}

/* Does it make no difference to a guest without KVM? */
static bool is_for_kvm(const char *name)
{
	return starts(name, "hv-") || starts(name, "x-hv-") || starts(name, "kvm") || starts(name, "vmware-");
}

static bool is_named_bit(const char *name)
{
	for (size_t i = 0; i < sizeof(named_bits) / sizeof(named_bits[0]); i++)
		if (!strcmp(named_bits[i], name))
			return true;
	return false;
}

/* What is asked for first, and what only if the feature words say so. */
struct names {
	json_t *first, *later;
	json_t *in_words; /* bits of feature words that are told by name, too */
	json_t *values;   /* null for each that there is */
};

/* Sort the properties of the CPU's model, by the answer of qom-list. */
static void sort_names(const json_t *listing, bool kvm, enum evc_given_wanted wanted, struct names *names)
{
	for (size_t i = 0; i < json_array_size(listing); i++) {
		const json_t *property = json_array_get(listing, i);
		const char *name = json_string_value(json_object_get(property, "name"));
		const char *type = json_string_value(json_object_get(property, "type"));
		enum evc_feature_id id;

		if (!name || !type || !evc_qom_is_model(name, type))
			continue;
		json_object_set_new(names->values, name, json_null());
		/* an old name of another; of no effect; of no interest; a bit of a word */
		if (strchr(name, '_') || (!kvm && is_for_kvm(name)) ||
		    (wanted == EVC_GIVEN_COMPARED && !evc_plan_compares(name)))
			continue;
		id = strcmp(type, "bool") != 0 ? EVC_N_FEATURES : feature_of(name);
		if (starts(name, "vmx-") || (id != EVC_N_FEATURES && evc_features[id].bit.reg == EVC_MSR))
			json_array_append_new(names->later, json_string(name));
		else if (id == EVC_N_FEATURES)
			json_array_append_new(names->first, json_string(name));
		else if (is_named_bit(name) || is_for_kvm(name))
			json_array_append_new(names->in_words, json_string(name));
	}
}

/* The bit of a feature in the words; false as well when there is no such word. */
static bool word_has(const json_t *words, enum evc_feature_id id)
{
	static const char *const registers[] = {
		[EVC_EAX] = "EAX", [EVC_EBX] = "EBX", [EVC_ECX] = "ECX", [EVC_EDX] = "EDX"
	};
	struct evc_bit bit = evc_features[id].bit;

	for (size_t i = 0; bit.reg != EVC_MSR && i < json_array_size(words); i++) {
		const json_t *word = json_array_get(words, i);
		const char *reg = json_string_value(json_object_get(word, "cpuid-register"));

		if ((uint32_t)json_number_value(json_object_get(word, "cpuid-input-eax")) == bit.leaf &&
		    (uint32_t)json_number_value(json_object_get(word, "cpuid-input-ecx")) == bit.subleaf &&
		    reg && !strcmp(reg, registers[bit.reg]))
			return evc_bit_get(bit, (uint32_t)json_number_value(
							json_object_get(word, "features"))) != 0;
	}
	return false;
}

/* Does it need, as QEMU sees it, a CPUID feature that the guest does not have? */
static bool is_off(const json_t *words, enum evc_feature_id id)
{
	for (size_t i = 0; i < evc_n_needs; i++)
		if (evc_needs[i].feature == id && strstr(evc_needs[i].source, "qemu") &&
		    evc_features[evc_needs[i].needs].bit.reg != EVC_MSR &&
		    !word_has(words, evc_needs[i].needs))
			return true;
	return false;
}

/* Those of names that the words do not decide; what they decide goes to values. */
static json_t *undecided(const struct names *names, json_t *told)
{
	const json_t *words = json_object_get(told, "feature-words");
	bool vmx = word_has(words, EVC_F_VMX);
	json_t *result = json_array();

	for (size_t i = 0; i < json_array_size(names->in_words); i++) {
		const char *name = json_string_value(json_array_get(names->in_words, i));

		json_object_set_new(told, name, json_boolean(word_has(words, feature_of(name))));
	}
	for (size_t i = 0; i < json_array_size(names->later); i++) {
		const char *name = json_string_value(json_array_get(names->later, i));

		/* A guest without VMX has none of its registers. */
		if (starts(name, "vmx-") && !vmx)
			continue;
		if (!is_off(words, feature_of(name)))
			json_array_append_new(result, json_string(name));
		else if (!starts(name, "vmx-"))
			json_object_set_new(told, name, json_false());
	}
	return result;
}

static int ask_names(struct evc_qmp *qmp, const char *path, struct names *names, struct evc_error *err)
{
	json_t *told = json_object(), *more;
	int status = evc_given_ask_properties(qmp, path, names->first, told, err);

	if (status == EVC_OK) {
		more = undecided(names, told);
		if (json_array_size(more))
			status = evc_given_ask_properties(qmp, path, more, told, err);
		json_decref(more);
	}
	json_object_update(names->values, told);
	json_decref(told);
	return status;
}

int evc_given_ask_cpu(struct evc_qmp *qmp, const char *path, json_t *listing, bool kvm,
                      enum evc_given_wanted wanted, json_t **ret_values, struct evc_error *err)
{
	struct names names = { .first = json_pack("[s, s]", "feature-words", "unavailable-features"),
		               .later = json_array(),
		               .in_words = json_array(),
		               .values = json_object() };
	int status = EVC_OK;

	if (listing)
		json_incref(listing);
	else
		status = evc_qmp_call(qmp, "qom-list", json_pack("{s:s}", "path", path), EVC_QMP_TIMEOUT,
		                      &listing, err);
	if (status == EVC_OK) {
		sort_names(listing, kvm, wanted, &names);
		status = ask_names(qmp, path, &names, err);
	}
	json_decref(listing);
	json_decref(names.first);
	json_decref(names.later);
	json_decref(names.in_words);
	if (status == EVC_OK)
		*ret_values = names.values;
	else
		json_decref(names.values);
	return status;
}
