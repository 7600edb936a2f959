/* mica_prover_memory: the walk of prove_prove.c on an arena without memory. What it takes there, phase by
 * phase, is what a proof takes; what lies beside the arena is added up from the vk. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "contract/contract_prove.h"
#include "pcs/pcs_prove.h"
#include "placement/placement_partial_prove.h"
#include "placement/placement_prove.h"
#include "protocol/leaves_prove.h"
#include "protocol/proof_size.h"
#include "protocol/prover.h"
#include "protocol/verify_memory.h"

/* Program, libraries, stacks, and the heap's small blocks. */
#define PROGRAM_BYTES ((size_t)4 << 20)
#define PAGE_CELLS    1024 /* cells of a page of memory */
/* The kernel maps pages of a file that lie around the one that is read. */
#define FILE_STEP ((size_t)64 << 10)

typedef struct rehearsal {
    const plan *p;
    unsigned savings;
    mica_arena arena;
    mica_status *st;
    tensor_store store;
    walk w;
    m31 **cells;          /* [n_tensors] */
    bool *known;          /* [n_claims] */
    pcs_committed *group; /* [n_groups] */
} rehearsal;

/* --- the workspace --- */

static bool saves_codewords(const rehearsal *r) {
    return prover_saves(r->savings, MICA_SAVE_CODEWORDS);
}

static bool take(rehearsal *r, size_t count, size_t element) {
    return arena_alloc(&r->arena, count, element, r->st) != NULL;
}

static m31 *take_cells(rehearsal *r, size_t n) {
    return arena_alloc(&r->arena, n, sizeof(m31), r->st);
}

/* What run and allocate_cells take, and make_witness for its pointers. */
static bool take_cells_of_all(rehearsal *r) {
    const plan *p = r->p;
    const mica_circuit *c = p->circuit;
    bool ok = take(r, p->n_slots + 1, sizeof(qm31)) && take(r, p->n_claims + 1, sizeof(qm31)) &&
              take(r, (size_t)p->n_ports * p->batch + 1, sizeof(qm31)) &&
              take(r, walk_max_batch_claims(p) + 1, sizeof(qm31)) &&
              take(r, p->n_groups + 1, sizeof *r->group) &&
              take(r, p->n_claims + 1, sizeof(contract_tables)) && take(r, p->n_claims + 1, sizeof(bool)) &&
              take(r, c->n_tensors + 1, sizeof(m31 *)) && take(r, c->n_tensors + 1, sizeof(int32_t *));
    m31 *witness = NULL;
    if (ok && p->witness_group >= 0)
        ok = (witness = take_cells(r, (size_t)1 << (p->witness.shape.row_vars + p->witness.shape.col_vars)));
    for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
        if (!mica_tensor_is_materialised(c, t))
            continue;
        if (c->tensor[t].kind == MICA_TENSOR_WITNESS)
            r->cells[t] = witness;
        else if (c->tensor[t].kind == MICA_TENSOR_WEIGHT)
            r->cells[t] =
                (m31 *)r->arena.base; /* not of this arena; that there are cells is all that matters */
        else
            ok = (r->cells[t] = take_cells(r, (size_t)1 << mica_tensor_bits(&c->tensor[t], p->batch)));
    }
    return ok;
}

/* leaves_count: a table for every worker but the first. */
static bool take_counts(rehearsal *r) {
    const mica_circuit *c = r->p->circuit;
    unsigned bits = 0;
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        const unsigned rows = c->table[c->lookup[i].table].def.bits;
        if (mica_tensor_bits(&c->tensor[c->lookup[i].entry[0]], r->p->batch) > rows)
            bits = rows > bits ? rows : bits;
    }
    const size_t mark = arena_mark(&r->arena);
    const bool ok = !bits || take(r, parallel_workers() - 1, sizeof(int32_t) << bits);
    arena_reset(&r->arena, mark);
    return ok;
}

/* pcs_commit: the tree stays, the codeword only if it is kept. */
static bool take_commitment(rehearsal *r, const pcs_shape *s, pcs_committed *group) {
    const unsigned k = s->col_vars + s->rate_bits;
    bool ok = pcs_tree_alloc(k, s->digest_bytes, &r->arena, r->st).node != NULL;
    const size_t without = arena_mark(&r->arena);
    m31 *codeword = ok ? take_cells(r, (size_t)s->n_present << k) : NULL;
    const size_t with = arena_mark(&r->arena);
    ok = codeword && take(r, s->n_present, sizeof(m31 *));
    if (!saves_codewords(r))
        group->codeword = codeword;
    arena_reset(&r->arena, saves_codewords(r) ? without : with);
    return ok;
}

static bool take_commitments(rehearsal *r) {
    const plan *p = r->p;
    bool ok = true;
    for (uint32_t i = 0; ok && i < p->n_ports * p->batch; i++) {
        const layout *l = &p->port[i / p->batch].layout;
        ok = take_cells(r, (size_t)l->cells) &&
             take_commitment(r, &l->shape, &r->group[p->first_port_group + i]);
    }
    return ok && (p->witness_group < 0 || take_commitment(r, &p->witness.shape, &r->group[p->witness_group]));
}

static bool take_lookups(rehearsal *r) {
    const plan *p = r->p;
    if (p->lookup_bits == 0)
        return true;
    const size_t mark = arena_mark(&r->arena);
    const bool ok = take(r, leaves_workspace(p, prover_lookup_thrift(r->savings)), 1);
    arena_reset(&r->arena, mark);
    return ok;
}

static bool take_claim(rehearsal *r, uint32_t id) {
    const plan_claim *k = &r->p->claim[id];
    const size_t mark = arena_mark(&r->arena);
    qm31 point[MICA_MAX_BITS], value;
    contract_tables tables;
    bool ok = true;
    walk_claim_point(&r->w, id, point);
    if (r->p->circuit->tensor[k->tensor].kind == MICA_TENSOR_CONTRACT)
        return contract_tables_make(&r->store, k->tensor, point, &tables); /* they stay */
    if (!r->known[id] && k->source != CLAIM_COMMITTED)
        ok = operand_eval(&r->store, k->tensor, point, &value);
    if (k->source == CLAIM_COMMITTED)
        ok = qvec_alloc(&r->arena, (size_t)r->p->port[k->port].layout.cells, r->st).p != NULL;
    arena_reset(&r->arena, mark);
    return ok;
}

static bool take_batch(rehearsal *r, const plan_event *e) {
    const size_t mark = arena_mark(&r->arena);
    bool ok = take(r, e->count, sizeof(batch_summand));
    for (uint32_t i = e->first; ok && i < e->first + e->count; i++) {
        const plan_instance *k = &r->p->instance[i];
        batch_summand summand;
        if (e->kind == EVENT_PLACEMENT)
            ok = placement_instance(&r->store, &r->w, k, r->w.lambda, &summand);
        for (unsigned side = 0; side < 2; side++) {
            if (k->operand[side] != PLAN_NONE)
                r->known[k->operand[side]] = true;
        }
    }
    arena_reset(&r->arena, mark);
    return ok;
}

static bool take_strata(rehearsal *r) {
    const size_t mark = arena_mark(&r->arena);
    bool ok = true;
    for (uint32_t i = 0; ok && i < r->p->n_events; i++) {
        const plan_event *e = &r->p->event[i];
        for (uint32_t k = e->first; ok && e->kind == EVENT_SEND && k < e->first + e->count; k++)
            ok = take_claim(r, k);
        if (e->kind == EVENT_CONTRACT || e->kind == EVENT_PLACEMENT)
            ok = take_batch(r, e);
    }
    arena_reset(&r->arena, mark);
    return ok;
}

static bool take_opening(rehearsal *r) {
    const plan *p = r->p;
    if (p->n_groups == 0)
        return true;
    pcs_claim *claim = calloc((size_t)p->n_openings + 1, sizeof *claim);
    qm31 *point = calloc((size_t)p->n_openings + 1, PCS_MAX_VARS * sizeof *point);
    bool ok = claim && point;
    if (!ok)
        mica_fail(r->st, MICA_ERR_MEMORY, "out of memory for claims");
    ok = ok && take(r, p->n_openings, sizeof *claim) && take(r, p->n_openings, PCS_MAX_VARS * sizeof *point);
    for (uint32_t i = 0; ok && i < p->n_openings; i++)
        claim[i] = walk_opening(&r->w, i, point + (size_t)i * PCS_MAX_VARS);
    ok = ok && pcs_open_dry(&p->pcs, r->group, claim, p->n_openings, &r->arena, r->st);
    free(claim);
    free(point);
    return ok;
}

/* Challenges that are neither 0 nor 1, nor equal to each other. */
static void draw_challenges(rehearsal *r) {
    for (uint32_t i = 0; i < r->p->n_slots; i++)
        r->w.challenge[i] = qm31_from_m31(i + 2);
}

static bool allocate_lists(rehearsal *r) {
    const plan *p = r->p;
    r->w.challenge = calloc((size_t)p->n_slots + 1, sizeof(qm31));
    r->w.value = calloc((size_t)p->n_claims + 1, sizeof(qm31));
    r->w.item = calloc((size_t)p->n_ports * p->batch + 1, sizeof(qm31));
    r->w.lambda = calloc((size_t)walk_max_batch_claims(p) + 1, sizeof(qm31));
    r->cells = calloc((size_t)p->circuit->n_tensors + 1, sizeof *r->cells);
    r->known = calloc((size_t)p->n_claims + 1, sizeof *r->known);
    r->group = calloc((size_t)p->n_groups + 1, sizeof *r->group);
    return (r->w.challenge && r->w.value && r->w.item && r->w.lambda && r->cells && r->known && r->group) ||
           mica_fail(r->st, MICA_ERR_MEMORY, "out of memory for a plan");
}

static void free_lists(rehearsal *r) {
    free(r->w.challenge);
    free(r->w.value);
    free(r->w.item);
    free(r->w.lambda);
    free(r->cells);
    free(r->known);
    free(r->group);
}

static bool has_narrow(const plan *p) {
    return p->weight_group >= 0 && p->pcs.group[p->weight_group].col_vars >= NARROW_CHUNK_VARS;
}

static bool workspace_peak(const plan *p, const mica_vk *vk, unsigned savings, size_t *peak,
                           mica_status *st) {
    static const narrow_matrix some; /* that there is one is all that matters */
    rehearsal r = {.p = p, .savings = savings, .st = st};
    r.w = (walk){.plan = p, .vk = vk, .arena = &r.arena, .st = st};
    const size_t need = prover_address_space(p);
    mica_status said = {0};
    bool ok = allocate_lists(&r);
    if (ok && !arena_create_unbacked(&r.arena, need, &said))
        ok = mica_fail(st, said.code, "a proof of a batch of %u takes up to %zu MB of memory: %.800s",
                       p->batch, (need + 999999) / 1000000, said.message);
    if (ok) {
        const narrow_matrix *narrow = has_narrow(p) ? &some : NULL;
        draw_challenges(&r);
        r.store = (tensor_store){p, r.cells, NULL, narrow, &r.arena, st, true};
        if (p->weight_group >= 0)
            r.group[p->weight_group].narrow = narrow;
        ok = take_cells_of_all(&r) && take_counts(&r) && take_commitments(&r) && take_lookups(&r) &&
             take_strata(&r) && take_opening(&r);
    }
    *peak = r.arena.peak;
    arena_destroy(&r.arena);
    free_lists(&r);
    return ok;
}

/* --- beside the workspace --- */

/* Bytes of the pages of a padded tensor that hold valid cells. */
static size_t touched(const mica_tensor *x, uint64_t *valid) {
    size_t cells = 1;
    *valid = 1;
    for (unsigned i = x->rank; i-- > 0;) {
        *valid *= x->dim[i];
        cells *= cells < PAGE_CELLS && i > 0 ? (size_t)1 << mica_log2_ceil(x->dim[i]) : x->dim[i];
    }
    return cells * sizeof(int32_t);
}

/* The mean number of distinct ones among `draws` of n. */
static double distinct(size_t draws, size_t n) {
    double missed = (double)n;
    for (size_t i = 0; i < draws; i++)
        missed -= missed / (double)n;
    return (double)n - missed;
}

/* Of a stored tree, what queries read: a step of the file in every level. */
static size_t opened_tree_bytes(unsigned log_leaves, size_t queries) {
    double steps = 0;
    for (unsigned k = 0; k <= log_leaves; k++) {
        const size_t level = ((size_t)MERKLE_DIGEST << k) / FILE_STEP;
        steps += distinct(queries, level ? level : 1) * (level ? 1 : 0);
    }
    return (size_t)((steps + 1) * (double)FILE_STEP);
}

/* The file's own pages are let go of once they are read. */
static size_t weight_bytes(const plan *p) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->weights.n_slots; i++) {
        const mica_tensor *x = &p->circuit->tensor[p->weights.slot[i].tensor];
        uint64_t valid;
        bytes += touched(x, &valid) + (sizeof(m31) << p->weights.slot[i].bits); /* as integers; the matrix */
        bytes += has_narrow(p) ? (size_t)valid * sizeof(int16_t) : 0;
    }
    if (p->weight_group >= 0) {
        const pcs_shape *s = &p->pcs.group[p->weight_group];
        bytes += opened_tree_bytes(s->col_vars + s->rate_bits, p->pcs.group_queries[p->weight_group]);
    }
    return bytes;
}

/* Twiddles of every length up to the longest codeword's. */
static size_t twiddle_bytes(const plan *p) {
    unsigned most = 0;
    for (unsigned g = 0; g < p->pcs.n_groups; g++) {
        const unsigned k = p->pcs.group[g].col_vars + p->pcs.group[g].rate_bits;
        most = k > most && (int)g != p->weight_group ? k : most;
    }
    for (unsigned l = 0; l < p->pcs.n_levels; l++) {
        const unsigned k = p->pcs.level[l].col_vars + p->pcs.level[l].rate_bits;
        most = k > most ? k : most;
    }
    return sizeof(m31) << most;
}

static size_t plan_bytes(const plan *p) {
    return p->n_claims * sizeof *p->claim + p->n_coords * sizeof *p->coord;
}

/* The values of a batch of all inputs, or of all outputs. */
static size_t port_bytes(const plan *p, const mica_port *port, uint32_t n) {
    size_t cells = 0;
    for (uint32_t i = 0; i < n; i++)
        cells += (size_t)mica_port_cells(p->circuit, &port[i]) * p->batch;
    return cells * sizeof(int32_t);
}

static size_t loaded_bytes(const plan *p) {
    const mica_circuit *c = p->circuit;
    size_t bytes = PROGRAM_BYTES + weight_bytes(p) + twiddle_bytes(p) + plan_bytes(p), expected;
    for (uint32_t i = 0; i < c->n_tables; i++)
        bytes += sizeof(int32_t) << c->table[i].def.bits;
    (void)proof_bytes(p, &expected);
    bytes += expected + c->n_indices * sizeof *c->index;
    /* inputs as they are given, and in the statement twice */
    return bytes + 4 * port_bytes(p, c->input, c->n_inputs) + 2 * port_bytes(p, c->output, c->n_outputs);
}

/* Beside a prover: the statement and the plan once more. */
static size_t verifying_bytes(const plan *p) {
    const mica_circuit *c = p->circuit;
    return verify_workspace(p) + plan_bytes(p) + port_bytes(p, c->input, c->n_inputs) +
           port_bytes(p, c->output, c->n_outputs);
}

bool mica_prover_memory(const mica_vk *vk, uint32_t batch, unsigned savings, mica_memory *m,
                        mica_status *st) {
    plan p;
    memset(m, 0, sizeof *m);
    if (!plan_build(&p, vk, batch, st))
        return false;
    const bool ok = workspace_peak(&p, vk, savings, &m->workspace, st);
    m->loaded = loaded_bytes(&p);
    m->verifying = verifying_bytes(&p);
    m->resident = m->loaded + m->workspace;
    plan_free(&p);
    return ok;
}
