/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef EVC_TEXT_JSON_H
#define EVC_TEXT_JSON_H

#include "base/sink.h"
#include "core/dump.h"

enum { EVC_JSON_VERSION = 1 };

/* One host: a leaf a line, or all in one line.  Fails on a host of which nothing is known. */
int evc_json_write(const struct evc_host *host, bool lines, struct evc_sink *sink, struct evc_error *err);

#endif
