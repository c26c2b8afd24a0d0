/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verb/run_check.h"

#include "text/qemu-args.h"

#include <stdbool.h>
#include <string.h>

int evc_run_check_options(const char *const *words, size_t n, struct evc_error *err)
{
	static const struct {
		const char *option, *why;
	} refused[] = {
		{ .option = "cpu", .why = "the mode decides the CPU: name another with --mode" },
		{ .option = "machine", .why = "give the type to --machine of evc run, with its options" },
		{ .option = "M", .why = "give the type to --machine of evc run, with its options" },
		{ .option = "accel", .why = "give it to --accel of evc run" },
		{ .option = "enable-kvm", .why = "give --accel kvm to evc run" },
		{ .option = "incoming", .why = "give it to --incoming of evc run" },
		{ .option = "daemonize",
		  .why = "the record of the guest names this process: start evc run in the background instead" },
	};
	const char *value;

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t at = 0;

		if (evc_qemu_args_next(words, n, refused[i].option, &at))
			return evc_fail(err, EVC_ERR_USAGE, "-%s among QEMU's options: %s", refused[i].option,
			                refused[i].why);
	}
	for (size_t at = 0; (value = evc_qemu_args_next(words, n, "global", &at));)
		if (strstr(value, "-cpu.") || strstr(value, "x86_64-cpu"))
			return evc_fail(
				err, EVC_ERR_USAGE,
				"-global %s among QEMU's options: it would change the CPU that the mode "
				"decides",
				value);
	return EVC_OK;
}

int evc_run_check_machine(const char *machine, struct evc_error *err)
{
	size_t length = strcspn(machine, ",");
	bool digit = false, dot = false;

	for (size_t i = 0; i < length; i++) {
		digit |= machine[i] >= '0' && machine[i] <= '9' && dot;
		dot |= machine[i] == '.';
	}
	if (strstr(machine, ",accel="))
		return evc_fail(err, EVC_ERR_USAGE, "--machine %s: give the accelerator to --accel", machine);
	if (!digit)
		return evc_fail(
			err, EVC_ERR_USAGE,
			"--machine %s: a type with a version is wanted, as pc-q35-7.2: what is called %.*s "
			"differs between QEMUs, and then the guest cannot move",
			machine, (int)length, machine);
	return EVC_OK;
}

int evc_run_check_with(const char *const *values, size_t n, enum evc_accel accel, struct evc_error *err)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = values[i];

		if (strncmp(value, "hv-", 3) && strncmp(value, "kvm-", 4) &&
		    strncmp(value, "tsc-frequency=", 14))
			return evc_fail(
				err, EVC_ERR_USAGE,
				"--with %s: only hv-..., kvm-... and tsc-frequency=HZ; CPU features are the "
				"mode's",
				value);
		if (strchr(value, ',') || strpbrk(value, "'\"\n"))
			return evc_fail(err, EVC_ERR_USAGE, "--with %s: one property each", value);
		if (accel == EVC_ACCEL_TCG)
			return evc_fail(err, EVC_ERR_USAGE, "--with %s: only KVM can give it, this is TCG",
			                value);
	}
	return EVC_OK;
}
