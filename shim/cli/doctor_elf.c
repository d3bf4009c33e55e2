/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the dynamic section of programs and libraries.
 *
 * Implementation notes: files may be damaged or made to harm. Every table is checked against the file's
 * size before it is read, numbers of entries are bounded, names end within the string table or do not
 * count, and nothing is mapped: a file that is cut short while we read gives an error, not a signal. How
 * many symbols there are stands nowhere: the hash tables know of those that are defined, the relocations of
 * those that are imported.
 */
#include "doctor_elf.h"

#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"

#define MAX_PHDRS       512
#define MAX_DYNAMIC     8192
#define MAX_NEEDED      1024
#define MAX_STRINGS     ((uint64_t)256 << 20)
#define MAX_SYMBOLS     ((uint64_t)4 << 20)
#define MAX_RELOCATIONS ((uint64_t)16 << 20)

#if __SIZEOF_POINTER__ == 8
#define RELOCATION_SYMBOL(info) ELF64_R_SYM(info)
#else
#define RELOCATION_SYMBOL(info) ELF32_R_SYM(info)
#endif

struct segment {
	uint64_t address, offset, len;
	bool is_writable;
};

/* What the dynamic section names, as addresses in memory. */
struct tables {
	uint64_t strings, strings_len;
	uint64_t symbols;
	uint64_t hash, gnu_hash;
	uint64_t rela, rela_len, rel, rel_len, plt, plt_len;
	bool plt_is_rela;
	uint64_t soname, rpath, runpath; /* offsets of names plus 1; 0: none */
};

struct reader {
	int fd;
	uint64_t file_len;
	struct segment segments[MAX_PHDRS];
	size_t n_segments;
	uint64_t dynamic_offset, dynamic_len;
	struct tables tables;
	uint64_t needed[MAX_NEEDED];
	size_t n_needed;
	const char *why;
};

static bool fail(struct reader *reader, const char *why)
{
	reader->why = why;
	return false;
}

static bool read_at(const struct reader *reader, void *out, uint64_t len, uint64_t offset)
{
	return offset <= reader->file_len && len <= reader->file_len - offset &&
	       elf_read_at(reader->fd, out, (size_t)len, offset);
}

/* Where the len bytes at an address of the program's memory stand in the file; they lie in one segment. */
static bool find_bytes(const struct reader *reader, uint64_t address, uint64_t len, uint64_t *offset)
{
	for (size_t i = 0; i < reader->n_segments; i++) {
		const struct segment *segment = &reader->segments[i];

		if (address >= segment->address && address - segment->address <= segment->len &&
		    len <= segment->len - (address - segment->address)) {
			*offset = segment->offset + (address - segment->address);
			return true;
		}
	}
	return false;
}

static bool read_memory(const struct reader *reader, void *out, uint64_t len, uint64_t address)
{
	uint64_t offset;

	return find_bytes(reader, address, len, &offset) && read_at(reader, out, len, offset);
}

static bool read_segments(struct reader *reader)
{
	struct stat st;
	ElfW(Ehdr) header;
	ElfW(Phdr) segment;

	if (fstat(reader->fd, &st) != 0 || st.st_size < 0) {
		return fail(reader, "cannot be read");
	}
	reader->file_len = (uint64_t)st.st_size;
	if (!read_at(reader, &header, sizeof(header), 0) || header.e_phentsize != sizeof(segment) ||
	    header.e_phnum > MAX_PHDRS) {
		return fail(reader, "has no good ELF header");
	}
	for (unsigned i = 0; i < header.e_phnum; i++) {
		if (header.e_phoff > INT64_MAX / 2 ||
		    !read_at(reader, &segment, sizeof(segment), header.e_phoff + i * sizeof(segment))) {
			return fail(reader, "has program headers that lead out of it");
		}
		if (segment.p_offset > reader->file_len ||
		    segment.p_filesz > reader->file_len - segment.p_offset) {
			if (segment.p_type == PT_LOAD || segment.p_type == PT_DYNAMIC) {
				return fail(reader, "is cut short");
			}
			continue;
		}
		if (segment.p_type == PT_LOAD) {
			reader->segments[reader->n_segments++] = (struct segment){
				.address = segment.p_vaddr,
				.offset = segment.p_offset,
				.len = segment.p_filesz,
				.is_writable = (segment.p_flags & PF_W) != 0,
			};
		} else if (segment.p_type == PT_DYNAMIC) {
			reader->dynamic_offset = segment.p_offset;
			reader->dynamic_len = segment.p_filesz;
		}
	}
	return true;
}

static void take_entry(struct reader *reader, int64_t tag, uint64_t value)
{
	struct tables *tables = &reader->tables;

	switch (tag) {
	case DT_NEEDED:
		if (reader->n_needed < MAX_NEEDED) {
			reader->needed[reader->n_needed++] = value;
		}
		break;
	case DT_STRTAB:
		tables->strings = value;
		break;
	case DT_STRSZ:
		tables->strings_len = value;
		break;
	case DT_SYMTAB:
		tables->symbols = value;
		break;
	case DT_HASH:
		tables->hash = value;
		break;
	case DT_GNU_HASH:
		tables->gnu_hash = value;
		break;
	case DT_RELA:
		tables->rela = value;
		break;
	case DT_RELASZ:
		tables->rela_len = value;
		break;
	case DT_REL:
		tables->rel = value;
		break;
	case DT_RELSZ:
		tables->rel_len = value;
		break;
	case DT_JMPREL:
		tables->plt = value;
		break;
	case DT_PLTRELSZ:
		tables->plt_len = value;
		break;
	case DT_PLTREL:
		tables->plt_is_rela = value == DT_RELA;
		break;
	case DT_SONAME:
		tables->soname = value + 1;
		break;
	case DT_RPATH:
		tables->rpath = value + 1;
		break;
	case DT_RUNPATH:
		tables->runpath = value + 1;
		break;
	default:
		break;
	}
}

static bool read_dynamic(struct reader *reader)
{
	uint64_t n = reader->dynamic_len / sizeof(ElfW(Dyn));

	for (uint64_t i = 0; i < n; i++) {
		ElfW(Dyn) entry;

		if (i == MAX_DYNAMIC) {
			return fail(reader, "has a dynamic section beyond all measure");
		}
		if (!read_at(reader, &entry, sizeof(entry), reader->dynamic_offset + i * sizeof(entry))) {
			return fail(reader, "has a dynamic section that leads out of it");
		}
		if (entry.d_tag == DT_NULL) {
			break;
		}
		take_entry(reader, entry.d_tag, entry.d_un.d_val);
	}
	return true;
}

/* ---- how many symbols ---- */

/* The highest symbol that the relocations speak of, plus 1. Both kinds begin with offset and info. */
static bool count_relocations(struct reader *reader, uint64_t address, uint64_t len, bool is_rela,
			      uint64_t *n_symbols)
{
	uint64_t size = is_rela ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
	uint64_t n = len / size, offset;
	uint8_t block[512 * sizeof(ElfW(Rela))];

	if (n == 0) {
		return true;
	}
	if (n > MAX_RELOCATIONS || !find_bytes(reader, address, n * size, &offset)) {
		return fail(reader, "has relocations that lead out of it");
	}
	while (n > 0) {
		uint64_t some = n < 512 ? n : 512;

		if (!read_at(reader, block, some * size, offset)) {
			return fail(reader, "has relocations that lead out of it");
		}
		for (uint64_t i = 0; i < some; i++) {
			ElfW(Rel) relocation;
			uint64_t symbol;

			memcpy(&relocation, block + i * size, sizeof(relocation));
			symbol = RELOCATION_SYMBOL(relocation.r_info);
			if (symbol >= *n_symbols) {
				*n_symbols = symbol + 1;
			}
		}
		offset += some * size;
		n -= some;
	}
	return true;
}

static bool count_hash(struct reader *reader, uint64_t *n_symbols)
{
	uint32_t head[2]; /* buckets, chains: one for each symbol */

	if (reader->tables.hash == 0) {
		return true;
	}
	if (!read_memory(reader, head, sizeof(head), reader->tables.hash)) {
		return fail(reader, "has a hash table that leads out of it");
	}
	if (head[1] > *n_symbols) {
		*n_symbols = head[1];
	}
	return true;
}

static bool count_gnu_hash(struct reader *reader, uint64_t *n_symbols)
{
	uint32_t head[4]; /* buckets, first symbol, words of the filter, its shift */
	uint64_t at = reader->tables.gnu_hash, chains, last = 0;

	if (at == 0) {
		return true;
	}
	if (!read_memory(reader, head, sizeof(head), at)) {
		return fail(reader, "has a hash table that leads out of it");
	}
	at += sizeof(head) + (uint64_t)head[2] * sizeof(ElfW(Addr));
	for (uint32_t i = 0; i < head[0]; i++, at += 4) {
		uint32_t bucket;

		if (i > MAX_SYMBOLS || !read_memory(reader, &bucket, sizeof(bucket), at)) {
			return fail(reader, "has a hash table that leads out of it");
		}
		last = bucket > last ? bucket : last;
	}
	chains = at;
	if (last < head[1]) {
		return true;
	}
	for (;; last++) {
		uint32_t hash;

		if (last > MAX_SYMBOLS ||
		    !read_memory(reader, &hash, sizeof(hash), chains + (last - head[1]) * sizeof(hash))) {
			return fail(reader, "has a hash table that leads out of it");
		}
		if ((hash & 1) != 0) { /* the end of the chain */
			break;
		}
	}
	if (last + 1 > *n_symbols) {
		*n_symbols = last + 1;
	}
	return true;
}

/* ---- names ---- */

static bool read_strings(struct reader *reader, struct doctor_elf *elf)
{
	const struct tables *tables = &reader->tables;
	uint64_t offset, len = tables->strings_len;

	if (len > MAX_STRINGS || !find_bytes(reader, tables->strings, len, &offset)) {
		return fail(reader, "has a string table that leads out of it");
	}
	elf->strings = malloc((size_t)len + 1);
	if (elf->strings == NULL) {
		return fail(reader, "has more names than there is memory for");
	}
	if (!read_at(reader, elf->strings, len, offset)) {
		return fail(reader, "has a string table that leads out of it");
	}
	/* Every offset below len is a string now. */
	elf->strings[len] = '\0';
	return true;
}

static const char *name_at(const struct reader *reader, const struct doctor_elf *elf, uint64_t offset)
{
	return offset < reader->tables.strings_len ? elf->strings + offset : NULL;
}

static const char *optional_name(const struct reader *reader, const struct doctor_elf *elf,
				 uint64_t offset_plus_1)
{
	return offset_plus_1 != 0 ? name_at(reader, elf, offset_plus_1 - 1) : NULL;
}

static bool read_needed(struct reader *reader, struct doctor_elf *elf)
{
	if (reader->n_needed == 0) {
		return true;
	}
	elf->needed = calloc(reader->n_needed, sizeof(elf->needed[0]));
	if (elf->needed == NULL) {
		return fail(reader, "needs more libraries than there is memory for");
	}
	for (size_t i = 0; i < reader->n_needed; i++) {
		const char *name = name_at(reader, elf, reader->needed[i]);

		if (name == NULL) {
			return fail(reader, "names libraries outside its string table");
		}
		elf->needed[elf->n_needed++] = name;
	}
	return true;
}

static bool read_symbols(struct reader *reader, struct doctor_elf *elf)
{
	const struct tables *tables = &reader->tables;
	ElfW(Sym) *table = NULL;
	uint64_t n = 0, offset;

	if (!count_hash(reader, &n) || !count_gnu_hash(reader, &n) ||
	    !count_relocations(reader, tables->rela, tables->rela_len, true, &n) ||
	    !count_relocations(reader, tables->rel, tables->rel_len, false, &n) ||
	    !count_relocations(reader, tables->plt, tables->plt_len, tables->plt_is_rela, &n)) {
		return false;
	}
	if (n == 0) {
		return true;
	}
	if (n > MAX_SYMBOLS || !find_bytes(reader, tables->symbols, n * sizeof(table[0]), &offset)) {
		return fail(reader, "has a symbol table that leads out of it");
	}
	table = malloc((size_t)n * sizeof(table[0]));
	elf->symbols = calloc((size_t)n, sizeof(elf->symbols[0]));
	if (table == NULL || elf->symbols == NULL || !read_at(reader, table, n * sizeof(table[0]), offset)) {
		free(table);
		return fail(reader, "has a symbol table that cannot be read");
	}
	for (uint64_t i = 1; i < n; i++) {
		const char *name = name_at(reader, elf, table[i].st_name);

		if (name != NULL && name[0] != '\0') {
			elf->symbols[elf->n_symbols++] = (struct doctor_symbol){
				.name = name,
				.is_defined = table[i].st_shndx != SHN_UNDEF,
			};
		}
	}
	free(table);
	return true;
}

bool doctor_elf_read(int fd, struct doctor_elf *elf, const char **why)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	bool good;

	memset(elf, 0, sizeof(*elf));
	if (reader == NULL) {
		*why = "needs more memory than there is";
		return false;
	}
	reader->fd = fd;
	good = read_segments(reader) && read_dynamic(reader);
	if (good && reader->tables.strings != 0) {
		good = read_strings(reader, elf) && read_needed(reader, elf) && read_symbols(reader, elf);
	}
	if (good && elf->strings != NULL) {
		elf->soname = optional_name(reader, elf, reader->tables.soname);
		elf->rpath = optional_name(reader, elf, reader->tables.rpath);
		elf->runpath = optional_name(reader, elf, reader->tables.runpath);
	}
	*why = reader->why;
	free(reader);
	if (!good) {
		doctor_elf_free(elf);
	}
	return good;
}

void doctor_elf_free(struct doctor_elf *elf)
{
	free(elf->symbols);
	free(elf->needed);
	free(elf->strings);
	memset(elf, 0, sizeof(*elf));
}

/* ---- traces ---- */

#define BLOCK   (256 * 1024)
#define OVERLAP 64

/*
 * How the system call is made: its number goes into a register and the instruction follows at once.
 */
#if defined(__x86_64__)
static const uint8_t load_number[] = {0xb8, 0xa9, 0x01, 0x00, 0x00}; /* mov $425, %eax */
static const uint8_t enter_kernel[] = {0x0f, 0x05};                  /* syscall */
#elif defined(__aarch64__)
static const uint8_t load_number[] = {0x28, 0x35, 0x80, 0xd2};  /* mov x8, #425 */
static const uint8_t enter_kernel[] = {0x01, 0x00, 0x00, 0xd4}; /* svc #0 */
#else
static const uint8_t load_number[] = {0}, enter_kernel[] = {0};
#endif

static bool makes_ring(const uint8_t *block, size_t len)
{
	const uint8_t *end = block + len;

	if (sizeof(load_number) == 1) {
		return false;
	}
	while ((block = memmem(block, (size_t)(end - block), load_number, sizeof(load_number))) != NULL) {
		size_t rest = (size_t)(end - block);

		if (memmem(block, rest < 24 ? rest : 24, enter_kernel, sizeof(enter_kernel)) != NULL) {
			return true;
		}
		block++;
	}
	return false;
}

static unsigned scan_block(const uint8_t *block, size_t len)
{
	/* Split, so that they are not found in ourselves. */
	static const struct {
		enum doctor_trace trace;
		const char *head, *tail;
	} marks[] = {
		{DOCTOR_TRACE_BORINGSSL, "ssl/ssl_", "lib.cc"},
		{DOCTOR_TRACE_OPENSSL, "ssl/ssl_", "lib.c"},
		{DOCTOR_TRACE_GNUTLS, "GNUTLS_E_", "UNEXPECTED_PACKET_LENGTH"},
		{DOCTOR_TRACE_MBEDTLS, "=> handshake ", "wrapup"},
		{DOCTOR_TRACE_RUSTLS, "rustls", "-0."},
		{DOCTOR_TRACE_RUSTIX, "rustix", "-0."},
		{DOCTOR_TRACE_RUSTIX, "rustix", "-1."},
	};
	unsigned found = 0;

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		char mark[40];
		size_t head_len = strlen(marks[i].head), tail_len = strlen(marks[i].tail);

		memcpy(mark, marks[i].head, head_len);
		memcpy(mark + head_len, marks[i].tail, tail_len);
		if (memmem(block, len, mark, head_len + tail_len) != NULL) {
			found |= marks[i].trace;
		}
	}
	return makes_ring(block, len) ? found | DOCTOR_TRACE_URING : found;
}

unsigned doctor_elf_scan(int fd)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	uint8_t *block = malloc(BLOCK);
	uint64_t budget;
	unsigned found = 0;

	if (reader != NULL && block != NULL) {
		reader->fd = fd;
		if (!read_segments(reader)) {
			reader->n_segments = 0;
		}
		/* Segments of a made-up file may overlap. */
		budget = 2 * reader->file_len;
		for (size_t i = 0; i < reader->n_segments; i++) {
			const struct segment *segment = &reader->segments[i];

			for (uint64_t at = 0; at < segment->len && !segment->is_writable;
			     at += BLOCK - OVERLAP) {
				uint64_t len = segment->len - at < BLOCK ? segment->len - at : BLOCK;

				if (len > budget || !read_at(reader, block, len, segment->offset + at)) {
					break;
				}
				budget -= len;
				found |= scan_block(block, (size_t)len);
			}
		}
	}
	free(block);
	free(reader);
	/* BoringSSL's mark begins with OpenSSL's. */
	return (found & DOCTOR_TRACE_BORINGSSL) != 0 ? found & ~(unsigned)DOCTOR_TRACE_OPENSSL : found;
}
