#include "protocol/ports_prove.h"

#include <string.h>

#include "base/parallel.h"
#include "circuit/circuit_shapes.h"
#include "mica/prove.h"
#include "pcs/pcs_prove.h"
#include "poly/eq_prove.h"
#include "protocol/protocol_cheat.h"
#include "simd/kernels.h"

/* The matrix of an item: its valid cells (row-major, `dense`) in padded order, all else zero. */
static m31 *item_matrix(const mica_circuit *c, const mica_port *port, const layout *l, const int32_t *dense,
                        mica_arena *arena, mica_status *st) {
    const mica_tensor *x = &c->tensor[port->tensor];
    const size_t inner = x->rank ? x->dim[x->rank - 1] : 1;
    const uint64_t cells = mica_port_cells(c, port);
    m31 *matrix = arena_alloc(arena, (size_t)l->cells, sizeof *matrix, st);
    if (!matrix)
        return NULL;
    memset(matrix, 0, (size_t)l->cells * sizeof *matrix);
    for (uint64_t first = 0; first < cells; first += inner) {
        m31 *row = matrix + circuit_padded_row(x, first / inner);
        for (size_t i = 0; i < inner; i++)
            row[i] = m31_from_i32(dense[first + i]);
    }
    return matrix;
}

static bool commit_item(const plan *p, uint32_t k, uint32_t item, mica_statement *s, pcs_committed *group,
                        bool keep_codeword, mica_arena *arena, mica_status *st) {
    const plan_port *port = &p->port[k];
    const mica_circuit *c = p->circuit;
    const mica_port *of = &(port->is_input ? c->input : c->output)[port->index];
    const int32_t *dense = (port->is_input ? s->input : s->output)[port->index];
    uint8_t *digest = (port->is_input ? s->input_digest : s->output_digest)[port->index];
    m31 *matrix = item_matrix(c, of, &port->layout, dense + item * mica_port_cells(c, of), arena, st);
    if (!matrix)
        return false;
    PROTOCOL_CHEAT(item, k, item, matrix);
    return pcs_commit(group, &port->layout.shape, matrix, keep_codeword, arena,
                      digest + (size_t)item * MERKLE_DIGEST, st);
}

bool ports_commit(const plan *p, mica_statement *s, pcs_committed *group, bool keep_codewords,
                  mica_arena *arena, mica_status *st) {
    for (uint32_t i = 0; i < p->n_ports * p->batch; i++) {
        if (!commit_item(p, i / p->batch, i % p->batch, s, &group[p->first_port_group + i], keep_codewords,
                         arena, st))
            return false;
    }
    return true;
}

static size_t item_workspace(const layout *l) {
    return pcs_block_bytes((size_t)l->cells, sizeof(m31)) + pcs_commit_workspace(&l->shape, true);
}

size_t ports_workspace(const plan *p) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->n_ports; i++)
        bytes +=
            p->batch * item_workspace(&p->port[i].layout) + pcs_qvec_bytes((size_t)p->port[i].layout.cells);
    return bytes;
}

bool ports_eval(const walk *w, uint32_t claim, const pcs_committed *group) {
    const plan *p = w->plan;
    const uint32_t k = p->claim[claim].port;
    const layout *l = &p->port[k].layout;
    const size_t mark = arena_mark(w->arena);
    const qvec eq = qvec_alloc(w->arena, (size_t)l->cells, w->st);
    qm31 point[MICA_MAX_BITS];
    if (!eq.p)
        return false;
    walk_claim_point(w, claim, point);
    eq_table_build(eq, point, l->slot[0].bits, qm31_one());
    for (uint32_t i = k * p->batch; i < (k + 1) * p->batch; i++)
        w->item[i] = kernels()->dot_m31(group[p->first_port_group + i].matrix, eq, (size_t)l->cells);
    arena_reset(w->arena, mark);
    return true;
}

bool mica_port_digest(const mica_circuit *c, const mica_port *port, const int32_t *cells,
                      uint8_t digest[MICA_DIGEST_BYTES], mica_status *st) {
    layout l;
    mica_arena arena = {0};
    pcs_committed group;
    bool ok = layout_item(&l, c, port->tensor, st) && arena_create(&arena, item_workspace(&l) + 256, st);
    m31 *matrix = ok ? item_matrix(c, port, &l, cells, &arena, st) : NULL;
    ok = matrix && pcs_commit(&group, &l.shape, matrix, false, &arena, digest, st);
    arena_destroy(&arena);
    layout_free(&l);
    return ok;
}

static bool digest_ports(const mica_circuit *c, const mica_port *port, uint32_t n, int32_t *const *cells,
                         uint8_t *const *digest, uint32_t batch, mica_status *st) {
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t item = mica_port_cells(c, &port[i]);
        for (uint32_t j = 0; digest[i] && j < batch; j++) {
            if (!mica_port_digest(c, &port[i], cells[i] + j * item, digest[i] + (size_t)j * MICA_DIGEST_BYTES,
                                  st))
                return false;
        }
    }
    return true;
}

bool mica_statement_digest(mica_statement *s, const mica_circuit *c, mica_status *st) {
    return digest_ports(c, c->input, c->n_inputs, s->input, s->input_digest, s->batch, st) &&
           digest_ports(c, c->output, c->n_outputs, s->output, s->output_digest, s->batch, st);
}
