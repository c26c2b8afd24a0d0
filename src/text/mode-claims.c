/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a line of a modes text says that its fact comes from: "  @read SOURCE" and the like, at its end. */
#include "text/modes-private.h"

#include <string.h>

static int read_source(struct evc_modes_reader *reader, unsigned number, struct evc_span source,
                       struct evc_claim *ret_claim)
{
	struct evc_span key = source;
	const char *colon = source.length ? memchr(source.text, ':', source.length) : NULL;

	if (!source.length)
		return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "missing source after @%s",
		                   evc_provenance_name(ret_claim->provenance));
	if (colon)
		key.length = (size_t)(colon - source.text);
	for (size_t i = 0; i < evc_n_sources; i++) {
		if (evc_span_equals(key, evc_sources[i].key)) {
			ret_claim->source = evc_modes_string(reader, source);
			return EVC_OK;
		}
	}
	return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0, "unknown source %.*s", (int)key.length,
	                   key.text);
}

/* The last '@' after two blanks. */
static bool split_claim(struct evc_span *line, struct evc_span *ret_claim)
{
	const char *at = line->length ? memrchr(line->text, '@', line->length) : NULL;

	for (; at; at = memrchr(line->text, '@', (size_t)(at - line->text))) {
		size_t i = (size_t)(at - line->text) + 1;

		if (i == 2 || (i > 2 && at[-1] != '\t' && !(at[-1] == ' ' && at[-2] == ' ')))
			continue;
		*ret_claim = (struct evc_span){ .text = at + 1, .length = line->length - i };
		line->length = i - 1;
		*line = evc_span_trim(*line);
		return true;
	}
	return false;
}

int evc_modes_claim(struct evc_modes_reader *reader, unsigned number, struct evc_span *line,
                    struct evc_claim *ret_claim)
{
	struct evc_span text, word;

	*ret_claim = (struct evc_claim){ .source = "" };
	if (!split_claim(line, &text))
		return evc_fail_at(
			reader->err, EVC_ERR_INPUT, number, 0,
			"missing provenance: \"  @read SOURCE\", \"  @inferred SOURCE\" or \"  @chosen\"");
	evc_span_word(&text, &word);
	text = evc_span_trim(text);
	if (evc_span_equals(word, "chosen") && !text.length) {
		ret_claim->provenance = EVC_PROVENANCE_CHOSEN;
		return EVC_OK;
	}
	if (evc_span_equals(word, "read"))
		ret_claim->provenance = EVC_PROVENANCE_READ;
	else if (evc_span_equals(word, "inferred"))
		ret_claim->provenance = EVC_PROVENANCE_INFERRED;
	else
		return evc_fail_at(reader->err, EVC_ERR_INPUT, number, 0,
		                   "@%.*s is no provenance: @read SOURCE, @inferred SOURCE or @chosen",
		                   (int)(word.length), word.text);
	return read_source(reader, number, text, ret_claim);
}
