#include "protocol/weights_prove.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file_pages.h"
#include "base/parallel.h"
#include "circuit/circuit_shapes.h"
#include "hash/blake2s.h"
#include "mica/prove.h"
#include "simd/kernels.h"

#define WEIGHTS_MAGIC "MICAWGT\n"
#define CELL_GRAIN    ((uint64_t)1 << 15) /* cells per worker below which they are read or placed inline */
/* A piece of a file is hashed as a matrix, column by column, many at a time. */
#define PIECE_ROWS    256
#define PIECE_COLUMNS 1024
#define PIECE         ((size_t)PIECE_ROWS * PIECE_COLUMNS * sizeof(uint32_t))

/* The store keeps what it needs in its own form, so of a mapped file no page stays for having been read. */
static void let_go(bool mapped, const uint8_t *from, size_t n) {
    if (mapped)
        file_pages_release(from, n);
}

static uint64_t valid_cells(const mica_tensor *x) {
    uint64_t n = 1;
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

static void copy_padded(const mica_tensor *x, const int32_t *dense, int32_t *padded) {
    const uint64_t cells = valid_cells(x), inner = x->rank ? x->dim[x->rank - 1] : 1;
    for (uint64_t first = 0; first < cells; first += inner)
        memcpy(padded + circuit_padded_row(x, first / inner), dense + first, inner * sizeof *dense);
}

/* Bytes per cell that hold the declared range. */
static unsigned cell_width(const mica_tensor *x) {
    if (x->lo >= INT8_MIN && x->hi <= INT8_MAX)
        return 1;
    return x->lo >= INT16_MIN && x->hi <= INT16_MAX ? 2 : 4;
}

static void write_cells(byte_writer *w, const int32_t *value, uint64_t n, unsigned width) {
    for (uint64_t i = 0; i < n; i++) {
        uint8_t b[4];
        store_u32(b, (uint32_t)value[i]);
        write_bytes(w, b, width);
    }
}

static int32_t read_cell(const uint8_t *at, unsigned width) {
    if (width == 1)
        return (at[0] ^ 0x80) - 0x80; /* two's complement */
    return width == 2 ? (int16_t)(at[0] | at[1] << 8) : (int32_t)load_u32(at);
}

static bool in_range(const mica_circuit *c, uint32_t t, const int32_t *value, uint64_t n, mica_status *st) {
    const mica_tensor *x = &c->tensor[t];
    for (uint64_t i = 0; i < n; i++) {
        if (value[i] < x->lo || value[i] > x->hi)
            return mica_fail(st, MICA_ERR_RANGE, "layer '%s': weight %d is outside [%d, %d]",
                             c->layer[x->layer].name, value[i], x->lo, x->hi);
    }
    return true;
}

/* Places all weights, shapes the group by the vk's parameters and lays the matrix out. */
static bool place(weight_store *s, const mica_vk *vk, mica_status *st) {
    const mica_circuit *c = &vk->circuit;
    s->value = calloc((size_t)c->n_tensors + 1, sizeof *s->value);
    if (!s->value)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    if (!layout_place(&s->layout, c, MICA_TENSOR_WEIGHT, 1, st))
        return false;
    for (uint32_t i = 0; i < s->layout.n_slots; i++) {
        const layout_slot *k = &s->layout.slot[i];
        s->value[k->tensor] = calloc((size_t)1 << k->bits, sizeof(int32_t));
        if (!s->value[k->tensor])
            return mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
    }
    return true;
}

typedef struct lift_job {
    const int32_t *value;
    m31 *cell;
} lift_job;

static void lift_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const lift_job *j = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        j->cell[i] = m31_from_i32(j->value[i]);
}

static bool shape(weight_store *s, const mica_vk *vk, mica_status *st) {
    if (!layout_shape(&s->layout, &vk->circuit, 1, vk->weight_row_bits, vk->weight_rate_bits,
                      soundness_digest_bytes(vk->security_bits), st))
        return false;
    const pcs_shape *g = &s->layout.shape;
    s->matrix = calloc((size_t)1 << (g->row_vars + g->col_vars), sizeof *s->matrix);
    if (!s->matrix)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the weight matrix");
    for (uint32_t i = 0; i < s->layout.n_slots; i++) {
        const layout_slot *k = &s->layout.slot[i];
        lift_job j = {s->value[k->tensor], s->matrix + k->offset};
        parallel_for((size_t)1 << k->bits, CELL_GRAIN, lift_range, &j);
    }
    s->group.shape = *g;
    s->group.matrix = s->matrix;
    s->group.tree.log_leaves = g->col_vars + g->rate_bits;
    s->group.tree.digest_bytes = g->digest_bytes;
    return true;
}

/* Beside the field elements, for the passes of every proof. */
static bool make_narrow(weight_store *s, mica_status *st) {
    const pcs_shape *g = &s->group.shape;
    if (g->col_vars < NARROW_CHUNK_VARS)
        return true;
    s->narrow = narrow_make(s->matrix, (size_t)1 << (g->row_vars + g->col_vars));
    s->group.narrow = s->narrow;
    return s->narrow || mica_fail(st, MICA_ERR_MEMORY, "out of memory for weights");
}

typedef struct read_job {
    const mica_tensor *x;
    const uint8_t *from;
    int32_t *value;
    uint64_t inner;
    unsigned width;
    atomic_bool outside; /* of the declared range */
} read_job;

/* Rows [begin, end) of the last axis. */
static void read_rows(void *ctx, size_t begin, size_t end, unsigned worker) {
    read_job *j = ctx;
    bool outside = false;
    (void)worker;
    for (size_t row = begin; row < end; row++) {
        const uint8_t *from = j->from + row * j->inner * j->width;
        int32_t *to = j->value + circuit_padded_row(j->x, row);
        for (uint64_t i = 0; i < j->inner; i++) {
            to[i] = read_cell(from + i * j->width, j->width);
            outside |= to[i] < j->x->lo || to[i] > j->x->hi;
        }
    }
    if (outside)
        atomic_store(&j->outside, true);
}

static bool read_tensor(weight_store *s, const mica_circuit *c, uint32_t t, byte_reader *r, mica_status *st) {
    const mica_tensor *x = &c->tensor[t];
    const uint64_t cells = valid_cells(x), inner = x->rank ? x->dim[x->rank - 1] : 1;
    read_job j = {x, r->at, s->value[t], inner, cell_width(x), false};
    if (r->left / j.width >= cells) {
        parallel_for((size_t)(cells / inner), (size_t)(CELL_GRAIN / inner + 1), read_rows, &j);
        r->at += cells * j.width;
        r->left -= (size_t)(cells * j.width);
        if (!atomic_load(&j.outside))
            return true;
    }
    return mica_fail(st, MICA_ERR_FORMAT, "the weight file is truncated or does not fit the parameters");
}

static bool read_tensors(weight_store *s, const weight_file *f, const mica_circuit *c, byte_reader *r,
                         mica_status *st) {
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const uint8_t *from = r->at;
        if (c->tensor[t].kind == MICA_TENSOR_WEIGHT && !read_tensor(s, c, t, r, st))
            return false;
        let_go(f->mapped, from, (size_t)(r->at - from));
    }
    return true;
}

typedef struct digest_job {
    const weight_file *f;
    uint8_t *digest; /* of every whole piece */
} digest_job;

static void digest_pieces(void *ctx, size_t begin, size_t end, unsigned worker) {
    const digest_job *j = ctx;
    uint32_t h0[8];
    (void)worker;
    blake2s_keyed_state(h0, "mica weight column");
    for (size_t piece = begin; piece < end; piece++) {
        const uint8_t *from = j->f->bytes + piece * PIECE;
        const m31 *row[PIECE_ROWS]; /* words: that they are 32 bits wide is all that matters */
        uint8_t columns[PIECE_COLUMNS * BLAKE2S_BYTES];
        blake2s h;
        for (size_t i = 0; i < PIECE_ROWS; i++)
            row[i] = (const m31 *)(const void *)(from + i * PIECE_COLUMNS * sizeof(uint32_t));
        kernels()->hash_columns(h0, BLAKE2S_BLOCK, row, PIECE_ROWS, 0, PIECE_COLUMNS, columns);
        let_go(j->f->mapped, from, PIECE);
        blake2s_init(&h, "mica weight piece");
        blake2s_update(&h, columns, sizeof columns);
        blake2s_final(&h, j->digest + piece * BLAKE2S_BYTES);
    }
}

/* Of the first `size` bytes of a weight file, which ends with it: damage that the commitment's root does not
 * show. docs/formats.md, "Weight file". */
static bool file_digest(const weight_file *f, size_t size, uint8_t digest[BLAKE2S_BYTES], mica_status *st) {
    const size_t pieces = size / PIECE;
    digest_job j = {f, malloc(pieces * BLAKE2S_BYTES + 1)};
    uint8_t length[8];
    blake2s h;
    if (!j.digest)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the digest of weights");
    parallel_for(pieces, 1, digest_pieces, &j);
    store_u64(length, size);
    blake2s_init(&h, "mica weight file");
    blake2s_update(&h, length, sizeof length);
    blake2s_update(&h, j.digest, pieces * BLAKE2S_BYTES);
    blake2s_update(&h, f->bytes + pieces * PIECE, size - pieces * PIECE);
    blake2s_final(&h, digest);
    free(j.digest);
    return true;
}

/* Takes the digest off the end. */
static bool check_digest(byte_reader *r, const weight_file *f, mica_status *st) {
    uint8_t digest[BLAKE2S_BYTES];
    if (r->left < sizeof digest)
        return mica_fail(st, MICA_ERR_FORMAT, "the weights are truncated");
    if (!file_digest(f, f->size - sizeof digest, digest, st))
        return false;
    if (memcmp(f->bytes + f->size - sizeof digest, digest, sizeof digest) != 0)
        return mica_fail(st, MICA_ERR_FORMAT, "the weights are damaged: their digest is another");
    r->left -= sizeof digest;
    return true;
}

bool weights_load(weight_store *s, const mica_vk *vk, const weight_file *f, mica_status *st) {
    memset(s, 0, sizeof *s);
    if (!place(s, vk, st))
        return false;
    if (s->layout.n_slots == 0)
        return true;
    byte_reader r = {f->bytes, f->size, false};
    uint8_t magic[8];
    read_bytes(&r, magic, sizeof magic);
    if (r.failed || memcmp(magic, WEIGHTS_MAGIC, 8) != 0)
        return mica_fail(st, MICA_ERR_FORMAT, "this is not a weight file of Mica (foreign magic)");
    const uint32_t version = read_u32(&r);
    if (r.failed || version != MICA_WEIGHTS_VERSION)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "a weight file of format version %u; this program reads version %u", version,
                         MICA_WEIGHTS_VERSION);
    if (!check_digest(&r, f, st) || !read_tensors(s, f, &vk->circuit, &r, st) || !shape(s, vk, st) ||
        !make_narrow(s, st))
        return false;
    const size_t nodes = (size_t)2 * MERKLE_DIGEST << s->group.tree.log_leaves;
    if (r.left != nodes)
        return mica_fail(st, MICA_ERR_FORMAT, "the weight file is truncated or has trailing bytes");
    if (f->mapped)
        file_pages_scattered(r.at, nodes);
    s->mapped = f->mapped;
    s->group.tree.node = (uint8_t *)(uintptr_t)r.at; /* only read: an opening of a group that is committed */
    if (memcmp(r.at + MERKLE_DIGEST, vk->weight_root, MERKLE_DIGEST) != 0)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "the weights are not those that the verifier parameters commit to");
    return true;
}

void weights_let_go(const weight_store *s) {
    if (s->layout.n_slots)
        let_go(s->mapped, s->group.tree.node, (size_t)2 * MERKLE_DIGEST << s->group.tree.log_leaves);
}

void weights_free(weight_store *s, const mica_vk *vk) {
    for (uint32_t t = 0; s->value && t < vk->circuit.n_tensors; t++)
        free(s->value[t]);
    free(s->value);
    free(s->matrix);
    narrow_free(s->narrow);
    layout_free(&s->layout);
    memset(s, 0, sizeof *s);
}

/* Commits and writes the file. The tree's nodes lie in the arena. */
static bool commit(weight_store *s, mica_vk *vk, const int32_t *const *weight, byte_writer *w,
                   mica_arena *arena, mica_status *st) {
    const mica_circuit *c = &vk->circuit;
    if (!pcs_commit(&s->group, &s->layout.shape, s->matrix, false, arena, vk->weight_root, st))
        return false;
    write_bytes(w, WEIGHTS_MAGIC, 8);
    write_u32(w, MICA_WEIGHTS_VERSION);
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind == MICA_TENSOR_WEIGHT)
            write_cells(w, weight[t], valid_cells(&c->tensor[t]), cell_width(&c->tensor[t]));
    }
    write_bytes(w, s->group.tree.node, (size_t)2 * MERKLE_DIGEST << s->group.tree.log_leaves);
    uint8_t digest[BLAKE2S_BYTES];
    if (!w->failed && !file_digest(&(weight_file){w->data, w->size, false}, w->size, digest, st))
        return false;
    write_bytes(w, digest, sizeof digest);
    return !w->failed || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the weight file");
}

bool mica_weights_commit(mica_vk *vk, const int32_t *const *weight, uint8_t **file, size_t *size,
                         mica_status *st) {
    const mica_circuit *c = &vk->circuit;
    weight_store s = {0};
    byte_writer w = {0};
    mica_arena arena = {0};
    vk->weight_row_bits = vk->weight_rate_bits = 0;
    memset(vk->weight_root, 0, sizeof vk->weight_root);
    bool ok = place(&s, vk, st);
    if (ok && s.layout.n_slots) {
        for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
            if (c->tensor[t].kind == MICA_TENSOR_WEIGHT) {
                ok = in_range(c, t, weight[t], valid_cells(&c->tensor[t]), st);
                copy_padded(&c->tensor[t], weight[t], s.value[t]);
            }
        }
        unsigned cols, rate;
        pcs_choose_row_bits(s.layout.cells, vk->security_bits, PCS_ONCE, &cols, &rate);
        vk->weight_row_bits = (uint8_t)cols;
        vk->weight_rate_bits = (uint8_t)rate;
        ok = ok && shape(&s, vk, st) &&
             arena_create(&arena, pcs_commit_workspace(&s.layout.shape, false), st) &&
             commit(&s, vk, weight, &w, &arena, st);
    }
    arena_destroy(&arena);
    weights_free(&s, vk);
    if (!ok) {
        free(w.data);
        return false;
    }
    *file = w.data ? w.data : calloc(1, 1); /* no weights: an empty file */
    *size = w.size;
    return *file != NULL || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the weight file");
}
