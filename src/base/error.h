/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_BASE_ERROR_H
#define EVC_BASE_ERROR_H

/*
 * Errors and verdicts.
 *
 * A function that can fail returns 0 or a negative enum evc_code and fills the caller's
 * struct evc_error, which has a fixed size and owns nothing.  A code stands for what the caller
 * can do about it; the text says what is wrong; origin, line and column say where.
 *
 * A verdict is not an error: "this guest does not fit" is success with findings.
 */

#include "evc.h" /* enum evc_code, struct evc_error, enum evc_verdict */

/* Fill err (may be NULL) with code and text; returns code, so that callers can "return evc_fail(...)". */
int evc_fail(struct evc_error *err, enum evc_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a place in the input. */
int evc_fail_at(struct evc_error *err, enum evc_code code, unsigned line, unsigned column, const char *format,
                ...) __attribute__((format(printf, 5, 6)));

/* The same functions with a value that analysers can see: the code itself, never EVC_OK. */
#define evc_fail(err, code, ...) (evc_fail(err, code, __VA_ARGS__), (int)(code))
#define evc_fail_at(err, code, line, column, ...)                                                            \
	(evc_fail_at(err, code, line, column, __VA_ARGS__), (int)(code))

/* Name the file or host an error is about, once, by whoever knows it. */
void evc_error_set_origin(struct evc_error *err, const char *origin);

/* "origin:line:column: text" into buf, cut to size; returns buf. */
char *evc_error_format(const struct evc_error *err, char *buf, size_t size);

/* The worse of two verdicts: no before unknown before yes. */
enum evc_verdict evc_verdict_worse(enum evc_verdict a, enum evc_verdict b);

const char *evc_verdict_name(enum evc_verdict verdict);

/* Exit status of a verdict (0 yes, 1 no or unknown) and of an error (2 usage, 3 and above failure). */
int evc_verdict_exit(enum evc_verdict verdict);
int evc_code_exit(enum evc_code code);

#endif
