/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stream is cut into pieces, one host each: a line of JSON, or the lines from one "HOST name"
 * to the next.  A piece is cut once more, around its name; what is before and behind the name is
 * its text.  All of it goes through a buffer that fits into the second-level cache, so that
 * looking at a byte again costs little more than copying it from the kernel once.
 *
 * Most lines were there before.  A few words behind the name guess which one it is, and comparing
 * proves it: then nobody looked for the line's end, and nothing was hashed.  Where there is no guess,
 * or a wrong one, the piece is cut out and hashed, to find its kind or that there is none.
 */
#include "host/stream.h"

#include "host/files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUFFER = 256 * 1024,
	FIRST_TABLE = 1024,
	GUESSES = 1024, /* a power of two */
	WAYS = 2,       /* kinds of one guess: those that differ further on */
	SAMPLES = 8,    /* words that a guess is made of */
	SAMPLE_STEP = 128,
	SAMPLED = (SAMPLES - 1) * SAMPLE_STEP + sizeof(uint64_t), /* bytes behind the name */
};

enum form { JSON_LINES, CPUID_HOSTS, OTHER };

/* A piece and where its name is in it. */
struct piece {
	struct evc_span text, name;
	unsigned line;
};

/* The text of a kind, without the name. */
struct text {
	struct evc_span before, behind;
	uint64_t hash;
};

struct stream {
	int fd;
	const char *path;
	struct evc_arena *arena;
	char *buffer;
	size_t size, start, scanned, end;
	bool eof;
	enum form form;
	unsigned line;      /* of start */
	struct text *texts; /* of each kind */
	size_t size_texts;
	uint32_t *table; /* kinds by hash, from 1; 0: free */
	size_t size_table;
	uint32_t *guesses; /* the kinds that a sample was last of, from 1; 0: none */
	uint32_t last;     /* the kind of the line before, if its name was found */
	struct evc_kinds kinds;
	struct evc_error *err;
};

static int fail_memory(struct evc_error *err)
{
	return evc_fail(err, EVC_ERR_MEMORY, "out of memory");
}

/* Room behind end: move what is left to the front, or double the buffer. */
static int make_room(struct stream *stream)
{
	size_t length = stream->end - stream->start;

	if (stream->start) {
		memmove(stream->buffer, stream->buffer + stream->start, length);
	} else if (length == stream->size) {
		char *bigger;

		if (stream->size >= EVC_MAX_TEXT)
			return evc_fail(stream->err, EVC_ERR_LIMIT, "a host of more than %d bytes",
			                EVC_MAX_TEXT);
		bigger = evc_arena_alloc(stream->arena, stream->size * 2);
		if (!bigger)
			return fail_memory(stream->err);
		memcpy(bigger, stream->buffer, length);
		stream->buffer = bigger;
		stream->size *= 2;
	}
	stream->scanned -= stream->start;
	stream->end = length;
	stream->start = 0;
	return EVC_OK;
}

static int fill(struct stream *stream)
{
	int status = make_room(stream);

	while (status == EVC_OK) {
		ssize_t n = read(stream->fd, stream->buffer + stream->end, stream->size - stream->end);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return evc_fail(stream->err, EVC_ERR_IO, "%s", strerror(errno));
		stream->eof = n == 0;
		stream->end += (size_t)n;
		stream->kinds.bytes += (size_t)n;
		break;
	}
	return status;
}

/* The end of the piece at start, looked for from scanned on; 0 when it is not in the buffer. */
static size_t find_end(struct stream *stream, unsigned *lines)
{
	const char *buffer = stream->buffer;

	while (stream->scanned < stream->end) {
		const char *newline = memchr(buffer + stream->scanned, '\n', stream->end - stream->scanned);
		size_t next;

		if (!newline) {
			if (stream->form == JSON_LINES)
				stream->scanned = stream->end;
			return 0;
		}
		next = (size_t)(newline - buffer) + 1;
		if (stream->form == CPUID_HOSTS && !stream->eof && stream->end - next < 5)
			return 0; /* what follows is not to be seen yet */
		stream->scanned = next;
		++*lines;
		if (stream->form == JSON_LINES ||
		    (stream->end - next >= 5 && !memcmp(buffer + next, "HOST ", 5)))
			return next;
	}
	return 0;
}

/* The next piece; its length is 0 at the end. */
static int next_piece(struct stream *stream, struct piece *ret_piece)
{
	unsigned lines = 0;
	size_t end = 0;

	while (!(end = find_end(stream, &lines)) && !stream->eof) {
		int status = fill(stream);

		if (status < 0)
			return status;
	}
	if (!end)
		end = stream->end;
	*ret_piece = (struct piece){ .text = { stream->buffer + stream->start, end - stream->start },
		                     .line = stream->line };
	stream->line += lines;
	stream->start = stream->scanned = end;
	return EVC_OK;
}

/* {"openevc": 1, "name": "web3": only a name in this place is left out, so that it is the host's. */
static struct evc_span json_name(struct evc_span at)
{
	struct evc_span none = { .text = at.text };
	uint64_t version;
	const char *quote;

	static const char *const words[] = { "{", "\"openevc\"", ":", NULL, ",", "\"name\"", ":", "\"" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		evc_span_skip_blanks(&at);
		if (words[i] ? !evc_span_skip(&at, words[i]) : !evc_span_decimal(&at, &version))
			return none;
	}
	quote = memchr(at.text, '"', at.length);
	if (!quote || memchr(at.text, '\\', (size_t)(quote - at.text)))
		return none;
	return (struct evc_span){ at.text, (size_t)(quote - at.text) };
}

static struct evc_span cpuid_name(struct evc_span at)
{
	struct evc_span line;

	if (!evc_span_skip(&at, "HOST ") || !evc_span_line(&at, &line))
		return (struct evc_span){ .text = at.text };
	return line;
}

static uint64_t load(const char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Both halves of the product of two words: each bit of either reaches most bits of it. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two lanes, so that the processor multiplies two pairs of words at a time. */
static uint64_t hash_bytes(struct evc_span text, uint64_t seed)
{
	const uint64_t k = UINT64_C(0x9e3779b97f4a7c15), l = UINT64_C(0xd6e8feb86659fd93);
	uint64_t a = seed ^ k, b = text.length ^ l, word = 0;
	const char *at = text.text;
	size_t n = text.length;

	for (; n >= 32; n -= 32, at += 32) {
		a = fold(load(at) ^ k, load(at + 8) ^ a);
		b = fold(load(at + 16) ^ l, load(at + 24) ^ b);
	}
	for (; n >= 8; n -= 8, at += 8)
		a = fold(load(at) ^ k, a);
	memcpy(&word, at, n);
	return fold(a ^ word, b ^ k);
}

/* Where the guess is for a text of at least SAMPLED bytes: facts and the first leaves tell most kinds apart.
 */
static uint32_t *guess_of(const struct stream *stream, const char *behind)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < SAMPLES; i++)
		hash = fold(hash ^ UINT64_C(0x9e3779b97f4a7c15), load(behind + i * SAMPLE_STEP));
	return &stream->guesses[(hash & (GUESSES - 1)) * WAYS];
}

/* Without its hash. */
static struct text piece_text(const struct piece *piece)
{
	const char *end = piece->text.text + piece->text.length;
	const char *behind = piece->name.text + piece->name.length;

	return (struct text){
		.before = { piece->text.text, (size_t)(piece->name.text - piece->text.text) },
		.behind = { behind, (size_t)(end - behind) },
	};
}

static bool same_text(const struct text *a, const struct text *b)
{
	return evc_span_same(a->behind, b->behind) && evc_span_same(a->before, b->before);
}

/* The slot of the text's kind, or the free one where it belongs. */
static size_t find_slot(const struct stream *stream, const struct text *text)
{
	size_t mask = stream->size_table - 1, slot = text->hash & mask;

	assert(stream->table);
	for (; stream->table[slot]; slot = (slot + 1) & mask) {
		const struct text *other = &stream->texts[stream->table[slot] - 1];

		if (other->hash == text->hash && same_text(other, text))
			break;
	}
	return slot;
}

static int grow_table(struct stream *stream)
{
	size_t size = stream->size_table ? stream->size_table * 2 : FIRST_TABLE;
	uint32_t *table = evc_arena_array(stream->arena, size, sizeof(*table));

	if (!table)
		return fail_memory(stream->err);
	for (size_t i = 0; i < stream->size_table; i++) {
		size_t slot;

		if (!stream->table[i])
			continue;
		slot = stream->texts[stream->table[i] - 1].hash & (size - 1);
		while (table[slot])
			slot = (slot + 1) & (size - 1);
		table[slot] = stream->table[i];
	}
	stream->table = table;
	stream->size_table = size;
	return EVC_OK;
}

/* Room for one more kind and its text. */
static int grow_kinds(struct stream *stream)
{
	struct evc_kinds *kinds = &stream->kinds;
	size_t size = kinds->size;
	struct evc_kind *items;
	struct text *texts;

	if (kinds->n >= EVC_STREAM_KINDS)
		return evc_fail(stream->err, EVC_ERR_LIMIT, "more than %d different hosts", EVC_STREAM_KINDS);
	items = evc_arena_room(stream->arena, kinds->items, kinds->n, &size, 8, sizeof(*items));
	texts = evc_arena_room(stream->arena, stream->texts, kinds->n, &kinds->size, 8, sizeof(*texts));
	if (!items || !texts)
		return fail_memory(stream->err);
	kinds->items = items;
	stream->texts = texts;
	return EVC_OK;
}

static void count_host(struct stream *stream, struct evc_kind *kind, struct evc_span name)
{
	kind->n_hosts++;
	stream->kinds.n_hosts++;
	if (kind->n_names < EVC_STREAM_NAMES && name.length)
		kind->names[kind->n_names++] = evc_arena_name(stream->arena, name.text, name.length);
}

static int add_kind(struct stream *stream, const struct evc_host *host, const struct text *text)
{
	struct evc_kinds *kinds = &stream->kinds;
	int status = grow_kinds(stream);

	if (status < 0)
		return status;
	assert(stream->texts);
	stream->texts[kinds->n] = text ? *text : (struct text){ 0 };
	kinds->items[kinds->n] = (struct evc_kind){ .host = *host };
	kinds->n++;
	return EVC_OK;
}

/* What a damaged piece says of itself counts lines from its own first one. */
static void place_error(const struct stream *stream, const struct piece *piece, struct evc_host *host)
{
	if (host->reading != EVC_DAMAGED)
		return;
	host->error.line += piece->line - 1;
	if (!host->error.origin[0])
		evc_error_set_origin(&host->error, stream->path);
}

/* A text that was not there before: keep it, and read it. */
static int read_kind(struct stream *stream, const struct piece *piece, uint64_t hash, size_t slot)
{
	struct evc_hosts hosts = { 0 };
	struct piece kept = *piece;
	struct text text;
	char *copy = evc_arena_string(stream->arena, piece->text.text, piece->text.length);
	const char *name = evc_arena_string(stream->arena, piece->name.text, piece->name.length);
	size_t first = stream->kinds.n;

	if (!copy || !name)
		return fail_memory(stream->err);
	kept.text.text = copy;
	kept.name.text = copy + (piece->name.text - piece->text.text);
	text = piece_text(&kept);
	text.hash = hash;
	evc_hosts_read(kept.text, *name ? name : evc_arena_printf(stream->arena, "host-%zu", first + 1),
	               stream->arena, &hosts, NULL);
	if (evc_arena_failed(stream->arena))
		return fail_memory(stream->err);
	for (size_t i = 0; i < hosts.n; i++) {
		int status;

		place_error(stream, piece, &hosts.items[i]);
		status = add_kind(stream, &hosts.items[i], &text);
		if (status < 0)
			return status;
		count_host(stream, &stream->kinds.items[stream->kinds.n - 1],
		           evc_span_from(hosts.items[i].name));
	}
	/* Several hosts in one piece are kinds of their own, and never met again. */
	if (hosts.n == 1)
		stream->table[slot] = (uint32_t)first + 1;
	return EVC_OK;
}

/*
 * The kind for the next line that is like this one.  Its text is a whole line with a name, so that a text
 * which begins with it is that line.
 */
static void guess(struct stream *stream, uint32_t kind)
{
	const struct text *text = kind ? &stream->texts[kind - 1] : NULL;
	uint32_t *place;

	stream->last = 0;
	if (!text || stream->form != JSON_LINES || !text->before.length || text->behind.length < SAMPLED ||
	    text->behind.text[text->behind.length - 1] != '\n')
		return;
	place = guess_of(stream, text->behind.text);
	if (place[0] != kind) {
		place[1] = place[0];
		place[0] = kind;
	}
	stream->last = kind;
}

static int read_piece(struct stream *stream, struct piece *piece)
{
	struct text text;
	size_t slot;
	int status;

	piece->name = stream->form == JSON_LINES ? json_name(piece->text) : cpuid_name(piece->text);
	if (!evc_span_trim(piece->text).length)
		return EVC_OK;
	text = piece_text(piece);
	if (stream->kinds.n * 2 >= stream->size_table && (status = grow_table(stream)) < 0)
		return status;
	text.hash = hash_bytes(text.behind, hash_bytes(text.before, 0));
	slot = find_slot(stream, &text);
	if (!stream->table[slot]) {
		status = read_kind(stream, piece, text.hash, slot);
		if (status < 0)
			return status;
	} else {
		count_host(stream, &stream->kinds.items[stream->table[slot] - 1], piece->name);
	}
	guess(stream, stream->table[slot]);
	return EVC_OK;
}

/* The name of a line that begins as the one before did up to its name. */
static bool name_as_before(const struct stream *stream, struct evc_span at, struct evc_span *ret_name)
{
	const struct evc_span *before = &stream->texts[stream->last - 1].before;
	const char *quote;

	if (at.length <= before->length || memcmp(at.text, before->text, before->length) != 0)
		return false;
	evc_span_drop(&at, before->length);
	quote = memchr(at.text, '"', at.length);
	*ret_name = (struct evc_span){ at.text, quote ? (size_t)(quote - at.text) : 0 };
	return quote && !memchr(at.text, '\\', ret_name->length) && !memchr(at.text, '\n', ret_name->length);
}

/* The kind of whose text the line's rest is; 0: it is not known to be of one. */
static uint32_t kind_of(const struct stream *stream, struct evc_span behind)
{
	const struct evc_span *before = &stream->texts[stream->last - 1].before;
	const uint32_t *guesses = behind.length >= SAMPLED ? guess_of(stream, behind.text) : NULL;

	for (int i = 0; guesses && i < WAYS && guesses[i]; i++) {
		const struct text *text = &stream->texts[guesses[i] - 1];

		if (behind.length >= text->behind.length &&
		    !memcmp(behind.text, text->behind.text, text->behind.length) &&
		    evc_span_same(text->before, *before))
			return guesses[i];
	}
	return 0;
}

/* A line that was there before, by its kind's text; false: it has to be looked at. */
static bool skip_known(struct stream *stream)
{
	struct evc_span at = { stream->buffer + stream->start, stream->end - stream->start }, name;
	uint32_t kind;

	if (!stream->last || !name_as_before(stream, at, &name))
		return false;
	evc_span_drop(&at, (size_t)(name.text + name.length - at.text));
	kind = kind_of(stream, at);
	if (!kind)
		return false;
	count_host(stream, &stream->kinds.items[kind - 1], name);
	stream->start = (size_t)(at.text - stream->buffer) + stream->texts[kind - 1].behind.length;
	stream->scanned = stream->start;
	stream->line++;
	stream->last = kind;
	return true;
}

static int read_pieces(struct stream *stream)
{
	struct piece piece;
	int status;

	do {
		while (skip_known(stream))
			;
		status = next_piece(stream, &piece);
		if (status == EVC_OK && piece.text.length)
			status = read_piece(stream, &piece);
	} while (status == EVC_OK && piece.text.length);
	return status;
}

/* Any other form: the whole text, each host a kind. */
static int read_whole(struct stream *stream)
{
	const char *slash = strrchr(stream->path, '/');
	struct evc_hosts hosts = { 0 };
	int status = EVC_OK;

	while (status == EVC_OK && !stream->eof)
		status = fill(stream);
	if (status < 0)
		return status;
	evc_hosts_read((struct evc_span){ stream->buffer, stream->end }, slash ? slash + 1 : stream->path,
	               stream->arena, &hosts, NULL);
	for (size_t i = 0; i < hosts.n && status == EVC_OK; i++) {
		place_error(stream, &(struct piece){ .line = 1 }, &hosts.items[i]);
		status = add_kind(stream, &hosts.items[i], NULL);
		if (status == EVC_OK)
			count_host(stream, &stream->kinds.items[i], evc_span_from(hosts.items[i].name));
	}
	return status;
}

/* Told by the first line: all of a JSON object, or the name of a host. */
static enum form find_form(const struct stream *stream)
{
	struct evc_span text = { stream->buffer, stream->end }, line;

	if (evc_span_starts(text, "HOST "))
		return CPUID_HOSTS;
	if (!memchr(text.text, '\n', text.length) || !evc_span_line(&text, &line))
		return OTHER;
	line = evc_span_trim(line);
	return json_name(line).length && line.text[line.length - 1] == '}' ? JSON_LINES : OTHER;
}

static int read_directory(const char *path, struct stream *stream)
{
	struct evc_hosts hosts = { 0 };
	int status = evc_files_read(path, stream->arena, &hosts, stream->err);

	for (size_t i = 0; i < hosts.n && status == EVC_OK; i++) {
		status = add_kind(stream, &hosts.items[i], NULL);
		if (status == EVC_OK)
			count_host(stream, &stream->kinds.items[i], evc_span_from(hosts.items[i].name));
	}
	return status;
}

static int read_stream(struct stream *stream)
{
	int status;

	stream->buffer = evc_arena_alloc(stream->arena, BUFFER);
	stream->guesses = evc_arena_array(stream->arena, GUESSES * WAYS, sizeof(*stream->guesses));
	if (!stream->buffer || !stream->guesses)
		return fail_memory(stream->err);
	stream->size = BUFFER;
	stream->line = 1;
	status = fill(stream);
	if (status < 0)
		return status;
	/* a pipe gives little at a time: as much as shows the first line's end */
	while (!stream->eof && stream->end < stream->size && !memchr(stream->buffer, '\n', stream->end) &&
	       status == EVC_OK)
		status = fill(stream);
	stream->form = find_form(stream);
	if (status == EVC_OK)
		status = stream->form == OTHER ? read_whole(stream) : read_pieces(stream);
	if (status < 0)
		evc_error_set_origin(stream->err, stream->path);
	return status;
}

int evc_stream_read(const char *path, struct evc_arena *arena, struct evc_kinds *ret_kinds,
                    struct evc_error *err)
{
	bool standard_input = !strcmp(path, "-");
	struct stream stream = { .path = standard_input ? "standard input" : path,
		                 .arena = arena,
		                 .err = err };
	struct stat st;
	int status;

	if (!standard_input && !stat(path, &st) && S_ISDIR(st.st_mode)) {
		status = read_directory(path, &stream);
	} else {
		stream.fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
		if (stream.fd < 0) {
			status = evc_fail(err, EVC_ERR_IO, "%s", strerror(errno));
			evc_error_set_origin(err, path);
			return status;
		}
		status = read_stream(&stream);
		if (!standard_input)
			close(stream.fd);
	}
	if (status == EVC_OK)
		*ret_kinds = stream.kinds;
	return status;
}
