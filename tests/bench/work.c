/* How much work the phases of a proof are, from the plan that prover and verifier walk. Prints JSON, phase by
 * phase, in the units of bench_ceilings:
 *
 *   bench_work FILE.vk BATCH
 *
 *   forward   multiply_adds: one for each product of a contraction; memory_bytes: every cell written once
 *   witness   memory_bytes: entries of lookups read (4 each), a multiplicity read and written (8), and every
 * cell read and written as a field element (8) commit    an encoded row of 2^b cells at rate 2^-r is b
 * 2^(b+r-1) butterflies; hash_bytes: 4 for each point of a codeword, 64 for each node of the tree lookups
 * m31: 4 for each entry; qm31, N leaves: 2 N for the fraction tree, 9 N for its sumchecks sumcheck  of n
 * cells that are made smaller by a point: 4 n m31 or, of weights, 12 n multiply_adds (four coordinates in
 * three limbs); rounds over 2^v cells: 4 2^v qm31, 9 2^v where there is an eq factor opening   passes over
 * the cells: one for all classes of claims that agree in their low coordinates, 8 multiply_adds for each cell
 * (four coordinates in two halves), and one for the combination of rows, as in sumcheck; queried columns of
 * the weights, two multiply_adds for each cell and query or the butterflies of encoding them again; levels:
 * encoded, hashed, 4 m31 for each cell of the form and each query, or fewer where queries share factors
 * (pcs_queries_prove.c), rounds as above grinding  grind_hashes: 2^bits
 * for each proof of work
 *
 * Padding is counted where the code works on it and cannot avoid it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mica/prove.h"
#include "pcs/pcs_schedule.h"
#include "plan/plan.h"
#include "poly/row_forms_prove.h"
#include "simd/kernels.h"
#include "simd/limbs.h"

typedef enum unit {
    M31_PRODUCTS,
    QM31_PRODUCTS,
    BUTTERFLIES,
    MULTIPLY_ADDS,
    HASH_BYTES,
    GRIND_HASHES,
    MEMORY_BYTES,
    UNITS
} unit;
static const char *const unit_name[UNITS] = {"m31",        "qm31",         "butterflies", "multiply_adds",
                                             "hash_bytes", "grind_hashes", "memory_bytes"};

typedef struct work {
    double of[MICA_PHASES][UNITS];
} work;

/* 16-bit multiply-adds for each small cell: of a sum of rows, of a QM31 form */
#define SUM_PRODUCTS  (LIMBS * QM31_DEGREE)
#define FORM_PRODUCTS (HALVES * QM31_DEGREE)

static double power_of_2(unsigned n) {
    return (double)(UINT64_C(1) << n);
}

/* Cells of the valid box. */
static double valid_cells(const plan *p, uint32_t t) {
    const mica_tensor *x = &p->circuit->tensor[t];
    double n = x->batched ? p->batch : 1;
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

static double padded_cells(const plan *p, uint32_t t) {
    return power_of_2(mica_tensor_bits(&p->circuit->tensor[t], p->batch));
}

static void forward_work(const plan *p, double *w) {
    const mica_circuit *c = p->circuit;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const mica_tensor *x = &c->tensor[t];
        if (x->kind == MICA_TENSOR_CONTRACT) {
            const mica_contract *d = &c->contract[x->def];
            double n = x->batched ? p->batch : 1;
            for (unsigned i = 0; i < d->n_labels; i++)
                n *= d->label_dim[i];
            w[MULTIPLY_ADDS] += n;
        } else if (x->kind != MICA_TENSOR_WEIGHT && mica_tensor_is_materialised(c, t)) {
            w[MEMORY_BYTES] += 4 * valid_cells(p, t);
        }
    }
}

static void witness_work(const plan *p, double *w) {
    const mica_circuit *c = p->circuit;
    for (uint32_t i = 0; i < c->n_lookups; i++)
        w[MEMORY_BYTES] += valid_cells(p, c->lookup[i].entry[0]) * (4.0 * c->lookup[i].n_entries + 8);
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind != MICA_TENSOR_WEIGHT && mica_tensor_is_materialised(c, t))
            w[MEMORY_BYTES] += 8 * padded_cells(p, t);
    }
}

/* Rows of 2^b cells are encoded and hashed. */
static void code_work(double rows, unsigned b, unsigned r, double *w) {
    const double points = power_of_2(b + r);
    w[BUTTERFLIES] += rows * b * points / 2;
    w[HASH_BYTES] += (4 * rows + 64) * points;
}

static void commit_work(const plan *p, double *w) {
    for (unsigned g = 0; g < p->n_groups; g++) {
        const pcs_shape *s = &p->pcs.group[g];
        if ((int)g != p->weight_group)
            code_work(s->n_present, s->col_vars, s->rate_bits, w);
    }
}

static void lookup_work(const plan *p, double *w) {
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        if (p->block[i].kind == BLOCK_LOOKUP)
            w[M31_PRODUCTS] +=
                4.0 * p->circuit->lookup[p->block[i].index].n_entries * power_of_2(p->block[i].bits);
    }
    w[QM31_PRODUCTS] += 11 * (double)p->leaves;
}

/* A multilinear form, or part of one, on the cells of tensor t; those of a placement are its source's. */
static void form_work(const plan *p, uint32_t t, double *w) {
    const mica_tensor *x = &p->circuit->tensor[t];
    if (x->kind == MICA_TENSOR_PLACEMENT && !mica_tensor_is_materialised(p->circuit, t))
        form_work(p, p->circuit->placement[x->def].src, w);
    else if (x->kind == MICA_TENSOR_WEIGHT)
        w[MULTIPLY_ADDS] += SUM_PRODUCTS * valid_cells(p, t);
    else
        w[M31_PRODUCTS] += QM31_DEGREE * valid_cells(p, t);
}

/* Whether rounds over a contraction have an eq table: a label or the batch is paired. */
static bool has_eq(const plan *p, uint32_t t) {
    const mica_circuit *c = p->circuit;
    const mica_contract *d = &c->contract[c->tensor[t].def];
    label_role role[MICA_MAX_LABELS];
    bool paired = c->tensor[d->a].batched && c->tensor[d->b].batched;
    plan_label_roles(c, t, role);
    for (unsigned i = 0; i < d->n_labels; i++)
        paired |= label_is_summed(&role[i]) && role[i].in_out;
    return paired;
}

static bool sumcheck_work(const plan *p, double *w) {
    const mica_circuit *c = p->circuit;
    bool *known = calloc(p->n_claims + 1, sizeof *known); /* values that the rounds leave */
    if (!known)
        return false;
    for (uint32_t i = 0; i < p->n_instances; i++) {
        const plan_instance *k = &p->instance[i];
        const mica_tensor *x = &c->tensor[k->tensor];
        const bool contract = x->kind == MICA_TENSOR_CONTRACT;
        for (unsigned side = 0; side < 2; side++) {
            if (k->operand[side] != PLAN_NONE) {
                known[k->operand[side]] = true;
                form_work(p, p->claim[k->operand[side]].tensor, w);
            }
        }
        w[QM31_PRODUCTS] += (contract && has_eq(p, k->tensor) ? 9 : 4) * power_of_2(k->vars);
    }
    for (uint32_t i = 0; i < p->n_claims; i++) {
        const plan_claim *k = &p->claim[i];
        if (!known[i] && k->source != CLAIM_COMMITTED && c->tensor[k->tensor].kind != MICA_TENSOR_CONTRACT)
            form_work(p, k->tensor, w);
    }
    free(known);
    return true;
}

/* --- opening --- */

/* Coordinate v of the point of opening i: of the claim's, then of the tensor's place in its group. */
static plan_coord opening_coord(const plan *p, uint32_t i, const layout *l, unsigned v) {
    const plan_claim *k = &p->claim[p->opening[i].claim];
    const layout_slot *slot = l ? layout_find(l, k->tensor) : NULL;
    const unsigned bits = mica_tensor_bits(&p->circuit->tensor[k->tensor], p->batch);
    if (v < bits)
        return p->coord[k->point + v];
    return slot && slot->offset >> v & 1 ? COORD_ONE : COORD_ZERO;
}

static const layout *layout_of(const plan *p, unsigned g) {
    return (int)g == p->weight_group ? &p->weights : (int)g == p->witness_group ? &p->witness : NULL;
}

static bool same_columns(const plan *p, uint32_t i, uint32_t j, const layout *l, unsigned col_vars) {
    for (unsigned v = 0; v < col_vars; v++) {
        if (opening_coord(p, i, l, v) != opening_coord(p, j, l, v))
            return false;
    }
    return true;
}

/* Variables of the block that eq of the column part lives on. */
static unsigned block_vars(const plan *p, uint32_t i, const layout *l, unsigned col_vars) {
    while (col_vars > 0 && opening_coord(p, i, l, col_vars - 1) < COORD_HALF)
        col_vars--;
    return col_vars;
}

/* The share of a group's padded cells that hold something. */
static double group_cells(const plan *p, unsigned g) {
    const pcs_shape *s = &p->pcs.group[g];
    if ((int)g != p->weight_group)
        return s->n_present * power_of_2(s->col_vars);
    double n = 0;
    for (uint32_t i = 0; i < p->weights.n_slots; i++)
        n += valid_cells(p, p->weights.slot[i].tensor);
    return n;
}

/* Whether openings i and j are of claims whose forms one pass makes. */
static bool same_pass(const plan *p, uint32_t i, uint32_t j) {
    const unsigned g = p->opening[i].group, columns = p->pcs.group[g].col_vars;
    const layout *l = layout_of(p, g);
    const bool large = block_vars(p, i, l, columns) >= ROW_FORMS_LOW_MAX;
    return p->opening[j].group == g && large == (block_vars(p, j, l, columns) >= ROW_FORMS_LOW_MAX) &&
           same_columns(p, i, j, l, large ? ROW_FORMS_LOW_MAX : columns);
}

/* Opening i, the first of its pass. */
static void pass_work(const plan *p, uint32_t i, double *w) {
    const unsigned g = p->opening[i].group, columns = p->pcs.group[g].col_vars;
    double share = 0;
    for (uint32_t j = i; j < p->n_openings; j++) {
        bool first = same_pass(p, i, j);
        for (uint32_t k = i; k < j && first; k++)
            first = !same_pass(p, i, k) || !same_columns(p, j, k, layout_of(p, g), columns);
        if (first) {
            share += power_of_2(block_vars(p, j, layout_of(p, g), columns)) / power_of_2(columns);
            w[QM31_PRODUCTS] += 4 * power_of_2(p->pcs.group[g].row_vars);
        }
    }
    if (share >= 0.25 && block_vars(p, i, layout_of(p, g), columns) >= ROW_FORMS_LOW_MAX)
        w[MULTIPLY_ADDS] += FORM_PRODUCTS * group_cells(p, g);
    else
        w[M31_PRODUCTS] += QM31_DEGREE * share * group_cells(p, g);
}

static void rows_work(const plan *p, double *w) {
    for (uint32_t i = 0; i < p->n_openings; i++) {
        bool first = true;
        for (uint32_t j = 0; j < i && first; j++)
            first = !same_pass(p, i, j);
        if (first)
            pass_work(p, i, w);
    }
    for (unsigned g = 0; g < p->n_groups; g++) {
        if ((int)g == p->weight_group)
            w[MULTIPLY_ADDS] += SUM_PRODUCTS * group_cells(p, g);
        else
            w[M31_PRODUCTS] += QM31_DEGREE * group_cells(p, g);
    }
}

/* Columns of the weights, of which no codeword is kept. */
static void column_work(const plan *p, double *w) {
    if (p->weight_group < 0)
        return;
    const pcs_shape *s = &p->pcs.group[p->weight_group];
    const unsigned k = s->col_vars + s->rate_bits;
    const double queries = (double)pcs_expected_distinct(k, p->pcs.group_queries[p->weight_group]) / 256;
    const double butterflies = s->n_present * s->col_vars * power_of_2(k) / 2;
    const double forms = HALVES * queries * group_cells(p, (unsigned)p->weight_group);
    if (forms <= kernels()->products_per_butterfly * butterflies)
        w[MULTIPLY_ADDS] += forms;
    else
        w[BUTTERFLIES] += butterflies;
}

/* Products for each element of the form and coordinate: t / 2^h + 2^(h + r), for the best h. */
static double form_terms(const pcs_source *s) {
    double least = s->queries;
    for (unsigned h = 2; h < s->col_vars; h++) {
        const double terms = s->queries / power_of_2(h) + power_of_2(h + s->rate_bits);
        least = terms < least ? terms : least;
    }
    return least;
}

static void opening_work(const plan *p, double *w) {
    rows_work(p, w);
    column_work(p, w);
    for (unsigned l = 0; l < p->pcs.n_levels; l++) {
        pcs_source source[PCS_MAX_GROUPS];
        const pcs_level *level = &p->pcs.level[l];
        const unsigned n = pcs_step_sources(&p->pcs, l, source);
        code_work((double)(QM31_DEGREE * pcs_level_rows(&p->pcs, l)), level->col_vars, level->rate_bits, w);
        for (unsigned i = 0; i < n; i++)
            w[M31_PRODUCTS] += QM31_DEGREE * form_terms(&source[i]) * power_of_2(source[i].col_vars);
        w[QM31_PRODUCTS] += 4 * power_of_2(level->row_vars + level->col_vars);
    }
}

static void grinding_work(const plan *p, double *w) {
    if (p->lookup_bits && p->lookup_pow_bits)
        w[GRIND_HASHES] += power_of_2(p->lookup_pow_bits);
    if (p->n_groups && p->pcs.query_pow_bits)
        w[GRIND_HASHES] += (p->pcs.n_levels + 1) * power_of_2(p->pcs.query_pow_bits);
}

static void show(const plan *p, const work *w) {
    (void)printf("{\"leaves\": %llu, \"witness_cells\": %llu, \"weight_cells\": %llu, \"levels\": %u, "
                 "\"lookup_pow_bits\": %u, \"query_pow_bits\": %u, \"phases\": {",
                 (unsigned long long)p->leaves, (unsigned long long)p->witness.cells,
                 (unsigned long long)p->weights.cells, p->pcs.n_levels, p->lookup_pow_bits,
                 p->pcs.query_pow_bits);
    for (unsigned phase = 0; phase < MICA_PHASES; phase++) {
        const char *between = "";
        (void)printf("%s\"%s\": {", phase ? ", " : "", mica_phase_name((mica_phase)phase));
        for (unsigned i = 0; i < UNITS; i++) {
            if (w->of[phase][i] == 0)
                continue;
            (void)printf("%s\"%s\": %.6g", between, unit_name[i], w->of[phase][i]);
            between = ", ";
        }
        (void)printf("}");
    }
    (void)printf("}}\n");
}

static bool count(const mica_vk *vk, uint32_t batch, mica_status *st) {
    plan p;
    work w;
    memset(&w, 0, sizeof w);
    if (!plan_build(&p, vk, batch, st))
        return false;
    forward_work(&p, w.of[MICA_PHASE_FORWARD]);
    witness_work(&p, w.of[MICA_PHASE_WITNESS]);
    commit_work(&p, w.of[MICA_PHASE_COMMIT]);
    lookup_work(&p, w.of[MICA_PHASE_LOOKUP]);
    const bool ok = sumcheck_work(&p, w.of[MICA_PHASE_SUMCHECK]);
    opening_work(&p, w.of[MICA_PHASE_OPENING]);
    grinding_work(&p, w.of[MICA_PHASE_GRINDING]);
    if (ok)
        show(&p, &w);
    plan_free(&p);
    return ok || mica_fail(st, MICA_ERR_MEMORY, "out of memory");
}

/* The caller frees it; NULL if the file cannot be read. */
static uint8_t *read_whole(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    if (f && fseek(f, 0, SEEK_END) == 0) {
        const long end = ftell(f);
        rewind(f);
        bytes = end > 0 ? malloc((size_t)end) : NULL;
        *size = bytes ? fread(bytes, 1, (size_t)end, f) : 0;
    }
    if (f)
        (void)fclose(f);
    return bytes;
}

int main(int argc, char **argv) {
    mica_status st = {0};
    mica_vk vk;
    size_t size = 0;
    if (argc != 3) {
        (void)fprintf(stderr, "usage: bench_work FILE.vk BATCH\n");
        return 2;
    }
    uint8_t *bytes = read_whole(argv[1], &size);
    if (!bytes || !mica_vk_read(&vk, bytes, size, &st)) {
        (void)fprintf(stderr, "bench_work: %s: %s\n", argv[1], bytes ? st.message : "cannot be read");
        free(bytes);
        return 2;
    }
    const bool ok = count(&vk, (uint32_t)strtoul(argv[2], NULL, 10), &st);
    if (!ok)
        (void)fprintf(stderr, "bench_work: %s\n", st.message);
    mica_vk_free(&vk);
    free(bytes);
    return ok ? 0 : 2;
}
