/* Creating a prover and running the network: everything that needs no proof. */
#include "protocol/prover.h"

#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "circuit/circuit_shapes.h"

const mica_vk *mica_prover_vk(const mica_prover *p) {
    return &p->vk;
}

void mica_prover_set_savings(mica_prover *p, unsigned savings) {
    p->savings = savings;
}

const char *mica_saving_name(mica_saving saving) {
    static const char *const name[MICA_SAVINGS] = {"layer", "leaves", "codewords"};
    return saving < MICA_SAVINGS ? name[saving] : "?";
}

logup_thrift prover_lookup_thrift(unsigned savings) {
    if (prover_saves(savings, MICA_SAVE_LEAVES))
        return LOGUP_LEAVES_AGAIN;
    return prover_saves(savings, MICA_SAVE_LAYER) ? LOGUP_LAYER_AGAIN : LOGUP_ALL_KEPT;
}

bool prover_fill_tables(mica_prover *p, mica_status *st) {
    const mica_circuit *c = &p->vk.circuit;
    p->table = calloc((size_t)c->n_tables + 1, sizeof *p->table);
    for (uint32_t i = 0; p->table && i < c->n_tables; i++) {
        p->table[i] = malloc(sizeof(int32_t) << c->table[i].def.bits);
        if (!p->table[i])
            return mica_fail(st, MICA_ERR_MEMORY, "out of memory for lookup tables");
        mica_table_fill(&c->table[i].def, p->table[i]);
    }
    return p->table != NULL || mica_fail(st, MICA_ERR_MEMORY, "out of memory for lookup tables");
}

static bool forward(mica_prover *p, mica_statement *s, int32_t *const *value, mica_status *st);

/* The weights of the model, where they do not fit said with their file. */
static bool load_weights(mica_prover *p, mica_status *st) {
    const mica_model *m = p->model;
    mica_status said = {0};
    const weight_file file = {m->weights, m->weights_size, m->weights_mapped};
    return weights_load(&p->weights, &p->vk, &file, &said) ||
           mica_fail(st, said.code, "%s%s%.800s", m->weight_file ? m->weight_file : "",
                     m->weight_file ? ": " : "", said.message);
}

mica_prover *mica_prover_create(const mica_model *model, uint32_t max_batch, mica_status *st) {
    mica_prover *p = calloc(1, sizeof *p);
    if (!p) {
        mica_fail(st, MICA_ERR_MEMORY, "out of memory");
        return NULL;
    }
    p->model = model;
    p->forward = forward;
    if (mica_vk_read(&p->vk, model->vk, model->vk_size, st)) {
        p->max_batch = max_batch ? max_batch : p->vk.circuit.max_batch;
        if (max_batch <= p->vk.circuit.max_batch && load_weights(p, st) && prover_fill_tables(p, st))
            return p;
        mica_fail(st, MICA_ERR_LIMIT, "a batch of %u; these parameters allow at most %u", max_batch,
                  p->vk.circuit.max_batch);
    }
    mica_prover_free(p);
    return NULL;
}

void prover_release(mica_prover *p) {
    for (uint32_t i = 0; p->table && i < p->vk.circuit.n_tables; i++)
        free(p->table[i]);
    free(p->table);
    plan_free(&p->plan);
    arena_destroy(&p->arena);
}

void mica_prover_free(mica_prover *p) {
    if (!p)
        return;
    prover_release(p);
    weights_free(&p->weights, &p->vk);
    mica_vk_free(&p->vk);
    free(p);
}

bool prover_plan(mica_prover *p, uint32_t batch, mica_status *st) {
    if (p->plan.batch == batch)
        return true;
    plan_free(&p->plan);
    if (batch > p->max_batch)
        return mica_fail(st, MICA_ERR_LIMIT, "a batch of %u; at most %u", batch, p->max_batch);
    return plan_build(&p->plan, &p->vk, batch, st);
}

bool prover_workspace(mica_prover *p, size_t bytes, mica_status *st) {
    if (p->arena.size < bytes) {
        arena_destroy(&p->arena);
        if (!arena_create(&p->arena, bytes, st))
            return false;
    }
    arena_reset(&p->arena, 0);
    p->arena.peak = 0;
    return true;
}

static void clear_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    (void)worker;
    memset((m31 *)ctx + begin, 0, (end - begin) * sizeof(m31));
}

m31 *prover_zeroed_cells(mica_prover *p, size_t n, mica_status *st) {
    m31 *cells = arena_alloc(&p->arena, n, sizeof *cells, st);
    if (cells)
        parallel_for(n, 1 << 14, clear_range, cells);
    return cells;
}

/* --- the forward pass --- */

/* Copies between valid cells in row-major order and one padded item. */
static void copy_item(const mica_tensor *x, int32_t *dense, int32_t *padded, bool to_padded) {
    const size_t inner = x->rank ? x->dim[x->rank - 1] : 1;
    size_t rows = 1;
    for (unsigned i = 0; i + 1 < x->rank; i++)
        rows *= x->dim[i];
    for (size_t row = 0; row < rows; row++, dense += inner) {
        const size_t at = circuit_padded_row(x, row);
        memcpy(to_padded ? padded + at : dense, to_padded ? dense : padded + at, inner * sizeof *dense);
    }
}

static bool check_inputs(const mica_circuit *c, const mica_statement *s, mica_status *st) {
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        const mica_tensor *x = &c->tensor[c->input[i].tensor];
        const uint64_t cells = mica_port_cells(c, &c->input[i]) * s->batch;
        for (uint64_t j = 0; j < cells; j++) {
            if (s->input[i][j] < x->lo || s->input[i][j] > x->hi)
                return mica_fail(st, MICA_ERR_RANGE, "input '%s': value %d is outside [%d, %d]",
                                 c->input[i].name, s->input[i][j], x->lo, x->hi);
        }
    }
    return true;
}

static size_t scratch_stride(const mica_model *model) {
    return (model->scratch_bytes + 63) / 64 * 64 + 64;
}

size_t prover_forward_bytes(const mica_prover *p) {
    const size_t pointers = (p->vk.circuit.n_tensors + 1) * sizeof(int32_t *);
    return parallel_workers() * (pointers + (p->model ? scratch_stride(p->model) : 0)) + (size_t)2 * 64;
}

typedef struct forward_job {
    const mica_prover *p;
    mica_statement *s;
    int32_t *const *value;
    int32_t **pointer; /* n_tensors per worker */
    uint8_t *scratch;  /* scratch_stride per worker */
    size_t scratch_stride;
} forward_job;

/* The cells of an item, and its inputs among them. */
static void begin_item(const forward_job *j, size_t item, int32_t **pointer) {
    const mica_circuit *c = &j->p->vk.circuit;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        pointer[t] = j->value[t];
        if (pointer[t] && c->tensor[t].batched)
            pointer[t] += item << mica_item_bits(&c->tensor[t]);
    }
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        const size_t cells = mica_port_cells(c, &c->input[i]);
        copy_item(&c->tensor[c->input[i].tensor], j->s->input[i] + item * cells, pointer[c->input[i].tensor],
                  true);
        mica_port_fill_digits(c, &c->input[i], pointer);
    }
}

static void end_item(const forward_job *j, size_t item, int32_t *const *pointer) {
    const mica_circuit *c = &j->p->vk.circuit;
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        const size_t cells = mica_port_cells(c, &c->output[i]);
        copy_item(&c->tensor[c->output[i].tensor], j->s->output[i] + item * cells,
                  pointer[c->output[i].tensor], false);
    }
}

/* The frame of part `part` of `parts`, the cells being those of `pointer`; the first part's workspace is the
 * item's. */
static mica_frame frame_of(const forward_job *j, int32_t *const *pointer, uint8_t *scratch, unsigned part,
                           unsigned parts) {
    return (mica_frame){.value = pointer,
                        .table = (const int32_t *const *)j->p->table,
                        .scratch = scratch,
                        .index = j->p->vk.circuit.index,
                        .own = scratch + part * j->scratch_stride,
                        .part = part,
                        .parts = parts};
}

static void forward_items(void *ctx, size_t begin, size_t end, unsigned worker) {
    const forward_job *j = ctx;
    int32_t **pointer = j->pointer + (size_t)worker * j->p->vk.circuit.n_tensors;
    for (size_t item = begin; item < end; item++) {
        begin_item(j, item, pointer);
        const mica_frame frame = frame_of(j, pointer, j->scratch + worker * j->scratch_stride, 0, 1);
        j->p->model->run(&frame);
        end_item(j, item, pointer);
    }
}

static void forward_part(void *ctx, unsigned part, unsigned parts) {
    const forward_job *j = ctx;
    const mica_frame frame = frame_of(j, j->pointer, j->scratch, part, parts);
    j->p->model->run(&frame);
}

#define MANY_PRODUCTS                                                                                        \
    ((uint64_t)1 << 22) /* of an item, some hundred microseconds: from here on, waiting pays off */

static bool has_many_products(const mica_circuit *c) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < c->n_contract; i++) {
        uint64_t products = 1;
        for (unsigned j = 0; j < c->contract[i].n_labels && products < MANY_PRODUCTS; j++)
            products *= c->contract[i].label_dim[j]; /* < 2^22 2^32 */
        sum += products;
    }
    return sum >= MANY_PRODUCTS;
}

/* Fewer items than workers: all of them compute one item after the other. */
static void forward_together(forward_job *j) {
    for (size_t item = 0; item < j->s->batch; item++) {
        begin_item(j, item, j->pointer);
        parallel_team(forward_part, j);
        end_item(j, item, j->pointer);
    }
}

/* Pointers and scratch of the workers lie in what is free of the workspace. */
static bool forward(mica_prover *p, mica_statement *s, int32_t *const *value, mica_status *st) {
    const mica_circuit *c = &p->vk.circuit;
    const size_t mark = arena_mark(&p->arena);
    const bool together = p->model->in_parts && s->batch < parallel_workers() && has_many_products(c);
    const size_t workers = together || s->batch > parallel_workers() ? parallel_workers() : s->batch;
    forward_job j = {p, s, value, NULL, NULL, scratch_stride(p->model)};
    j.pointer = arena_alloc(&p->arena, workers * c->n_tensors + 1, sizeof *j.pointer, st);
    j.scratch = arena_alloc(&p->arena, workers, j.scratch_stride, st);
    const bool ok = j.pointer && j.scratch && check_inputs(c, s, st);
    if (ok && together)
        forward_together(&j);
    else if (ok)
        parallel_for(s->batch, 1, forward_items, &j);
    arena_reset(&p->arena, mark);
    return ok;
}

static size_t inference_bytes(const mica_circuit *c, uint32_t batch) {
    size_t bytes = (size_t)(c->n_tensors + 16) * sizeof(int32_t *);
    for (uint32_t t = 0; t < c->n_tensors; t++)
        bytes += ((size_t)1 << mica_tensor_bits(&c->tensor[t], batch)) * sizeof(int32_t) + 64;
    return bytes;
}

/* In the workspace of proofs: after one of them, its pages are there. */
static bool infer(mica_prover *p, mica_statement *s, mica_status *st) {
    const mica_circuit *c = &p->vk.circuit;
    if (!prover_workspace(p, inference_bytes(c, s->batch) + prover_forward_bytes(p), st))
        return false;
    int32_t **value = arena_alloc(&p->arena, (size_t)c->n_tensors + 1, sizeof *value, st);
    bool ok = value != NULL;
    for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
        value[t] = p->weights.value[t];
        if (c->tensor[t].kind != MICA_TENSOR_WEIGHT && mica_tensor_is_materialised(c, t)) {
            value[t] =
                (int32_t *)prover_zeroed_cells(p, (size_t)1 << mica_tensor_bits(&c->tensor[t], s->batch), st);
            ok = value[t] != NULL;
        }
    }
    return ok && forward(p, s, value, st);
}

bool mica_prover_infer(mica_prover *p, mica_statement *s, mica_status *st) {
    const bool ok = infer(p, s, st);
    memcpy(s->vk_digest, p->vk.digest, MICA_DIGEST_BYTES);
    return ok;
}
