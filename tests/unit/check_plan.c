/* Plans and layouts: an independent count of what is made and reduced, rows against brute force, and circuits
 * whose claims multiply. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"
#include "code/line_code.h"
#include "pcs/pcs_schedule.h"
#include "plan/plan_internal.h"
#include "suite.h"

static void make(kit *k, int i) {
    samples[i].build(k);
    ck_assert_msg(kit_finish(k, 40), "%s", samples[i].name);
}

/* --- layouts --- */

static bool cell_is_valid(const mica_tensor *x, uint32_t batch, uint64_t cell) {
    for (unsigned i = x->rank; i-- > 0; cell >>= mica_log2_ceil(x->dim[i])) {
        if ((cell & ((1ull << mica_log2_ceil(x->dim[i])) - 1)) >= x->dim[i])
            return false;
    }
    return !x->batched || cell < batch;
}

/* Rows with a valid cell are present. A row that lies within one tensor and has none is absent; a row that
 * several small tensors share is present. */
static void check_rows(const layout *l, const mica_circuit *c, uint32_t batch) {
    const unsigned b = l->shape.col_vars;
    const uint64_t rows = ((l->cells - 1) >> b) + 1;
    uint8_t *has_valid = calloc(rows, 1), *shared = calloc(rows, 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n_slots; i++) {
        const layout_slot *s = &l->slot[i];
        for (uint64_t cell = 0; cell < 1ull << s->bits; cell++) {
            has_valid[(s->offset + cell) >> b] |= cell_is_valid(&c->tensor[s->tensor], batch, cell);
            shared[(s->offset + cell) >> b] |= s->bits < b;
        }
    }
    for (uint64_t row = 0; row < rows; row++) {
        const bool present = n < l->shape.n_present && l->present[n] == row;
        ck_assert_msg(present == (has_valid[row] || shared[row]), "row %llu of 2^%u", (unsigned long long)row,
                      b);
        n += present;
    }
    ck_assert_uint_eq(n, l->shape.n_present);
    ck_assert_uint_eq(l->shape.row_vars + b, mica_log2_ceil(l->cells));
    free(has_valid);
    free(shared);
}

static void check_slots(const layout *l, const mica_circuit *c, mica_tensor_kind kind, uint32_t batch) {
    uint64_t end = 0;
    uint32_t wanted = 0;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const layout_slot *s = layout_find(l, t);
        ck_assert((s != NULL) == (c->tensor[t].kind == kind));
        if (!s)
            continue;
        wanted++;
        ck_assert_uint_eq(s->tensor, t);
        ck_assert_uint_eq(s->bits, mica_tensor_bits(&c->tensor[t], batch));
        ck_assert_uint_eq(s->offset & ((1ull << s->bits) - 1), 0);
    }
    ck_assert_uint_eq(wanted, l->n_slots);
    for (uint32_t i = 0; i < l->n_slots; i++) { /* no overlap, no gap */
        ck_assert_uint_eq(l->slot[i].offset, end);
        end += 1ull << l->slot[i].bits;
    }
    ck_assert_uint_eq(end, l->cells);
}

START_TEST(layouts_match_brute_force) {
    static const mica_tensor_kind kinds[2] = {MICA_TENSOR_WEIGHT, MICA_TENSOR_WITNESS};
    kit k;
    mica_status st = {0};
    make(&k, _i);
    for (uint32_t batch = 1; batch <= k.c.max_batch; batch++) {
        for (unsigned kind = 0; kind < 2; kind++) {
            for (unsigned b = 0; b <= 12; b++) {
                layout l;
                ck_assert(layout_place(&l, &k.c, kinds[kind], batch, &st));
                check_slots(&l, &k.c, kinds[kind], batch);
                if (l.n_slots) {
                    ck_assert_msg(layout_shape(&l, &k.c, batch, b, 1, 26, &st), "%s", st.message);
                    check_rows(&l, &k.c, batch);
                }
                layout_free(&l);
            }
        }
    }
    kit_free(&k);
}
END_TEST

/* --- claims --- */

static bool same_coordinates(const plan *p, uint32_t i, uint32_t j) {
    const unsigned bits = mica_tensor_bits(&p->circuit->tensor[p->claim[i].tensor], p->batch);
    return memcmp(p->coord + p->claim[i].point, p->coord + p->claim[j].point, bits * sizeof(plan_coord)) == 0;
}

/* Ports have claims of their own. */
static bool is_of_port(const plan *p, uint32_t claim) {
    const plan_claim *k = &p->claim[claim];
    return k->source == CLAIM_OUTPUT || k->source == CLAIM_COMMITTED ||
           mica_tensor_bits(&p->circuit->tensor[k->tensor], p->batch) == 0;
}

/* No two claims are the same, but for ports', and every challenge that a point names has been drawn before
 * the claim is made. */
static void check_points(const plan *p) {
    for (uint32_t i = 0; i < p->n_claims; i++) {
        for (uint32_t j = 0; j < i; j++)
            ck_assert(p->claim[i].tensor != p->claim[j].tensor || is_of_port(p, i) || is_of_port(p, j) ||
                      !same_coordinates(p, i, j));
    }
    uint32_t drawn = p->lookup_bits;
    for (uint32_t e = 0; e < p->n_events; e++) {
        const plan_event *v = &p->event[e];
        if (v->kind == EVENT_POINT || v->kind == EVENT_CONTRACT || v->kind == EVENT_PLACEMENT) {
            ck_assert_uint_eq(v->kind == EVENT_POINT ? v->first : v->slot, drawn);
            drawn += v->kind == EVENT_POINT ? v->count : v->rounds;
        }
        if (v->kind != EVENT_SEND)
            continue;
        for (uint32_t i = v->first; i < v->first + v->count; i++) {
            const unsigned bits = mica_tensor_bits(&p->circuit->tensor[p->claim[i].tensor], p->batch);
            for (unsigned j = 0; j < bits; j++)
                ck_assert_uint_lt(p->coord[p->claim[i].point + j], COORD_FIRST + drawn);
        }
    }
    ck_assert_uint_eq(drawn, p->n_slots);
}

/* How often each claim is sent and reduced, counted by walking the events. */
static void check_claims(const plan *p) {
    const mica_circuit *c = p->circuit;
    unsigned *sent = calloc(p->n_claims, sizeof *sent), *reduced = calloc(p->n_claims, sizeof *reduced);
    bool *tensor_done = calloc(c->n_tensors, sizeof *tensor_done), *claimed = calloc(c->n_tensors, 1);
    for (uint32_t e = 0; e < p->n_events; e++) {
        const plan_event *v = &p->event[e];
        for (uint32_t i = 0; v->kind == EVENT_SEND && i < v->count; i++) {
            const uint32_t t = p->claim[v->first + i].tensor;
            ck_assert_msg(!tensor_done[t], "a claim on tensor %u after its stratum", t);
            sent[v->first + i]++;
            claimed[t] = true;
        }
        if (v->kind == EVENT_LINEAR) {
            reduced[v->first]++;
            for (uint32_t i = 0; i < v->count; i++)
                ck_assert_uint_eq(sent[p->link[v->link + i]], 1);
        }
        for (uint32_t i = 0; (v->kind == EVENT_CONTRACT || v->kind == EVENT_PLACEMENT) && i < v->count; i++) {
            const plan_instance *k = &p->instance[v->first + i];
            tensor_done[k->tensor] = true;
            for (uint32_t j = 0; j < k->n_claims; j++) {
                ck_assert_uint_eq(p->claim[p->link[k->first_claim + j]].tensor, k->tensor);
                ck_assert_uint_eq(sent[p->link[k->first_claim + j]], 1);
                reduced[p->link[k->first_claim + j]]++;
            }
        }
    }
    for (uint32_t i = 0; i < p->n_openings; i++)
        reduced[p->opening[i].claim] += p->opening[i].item == PLAN_NONE;
    for (uint32_t i = 0; i < p->n_claims; i++) {
        ck_assert_uint_eq(sent[i], 1);
        ck_assert_uint_eq(reduced[i], c->tensor[p->claim[i].tensor].kind == MICA_TENSOR_INPUT ? 0 : 1);
    }
    for (uint32_t t = 0; t < c->n_tensors; t++)
        ck_assert_msg(claimed[t], "no claim on tensor %u", t);
    free(sent);
    free(reduced);
    free(tensor_done);
    free(claimed);
}

START_TEST(claims_are_reduced_once) {
    kit k;
    mica_status st = {0};
    make(&k, _i);
    for (uint32_t batch = 1; batch <= k.c.max_batch; batch++) {
        plan p;
        ck_assert_msg(plan_build(&p, &k.vk, batch, &st), "%s", st.message);
        check_points(&p);
        check_claims(&p);
        plan_free(&p);
    }
    kit_free(&k);
}
END_TEST

/* plan_check is the last line of defence: a plan with a claim taken out of any of its places must not pass.
 */
START_TEST(open_claims_are_noticed) {
    kit k;
    plan p;
    mica_status st = {0};
    unsigned tried = 0;
    make(&k, _i);
    ck_assert(plan_build(&p, &k.vk, 2, &st));
    ck_assert(plan_check(&p, 0, &st));
    for (uint32_t e = 0; e < p.n_events; e++) {
        const plan_event v = p.event[e];
        if (v.kind == EVENT_LEAVES || v.kind == EVENT_POINT || v.kind == EVENT_FINAL)
            continue;
        mica_status error = {0};
        p.event[e].kind = EVENT_FINAL; /* left out */
        ck_assert(!plan_check(&p, 0, &error));
        ck_assert_int_eq(error.code, MICA_ERR_INTERNAL);
        p.event[e] = v;
        tried++;
    }
    for (uint32_t i = 0; i < p.n_instances; i++) {
        mica_status error = {0};
        p.instance[i].n_claims--;
        ck_assert(!plan_check(&p, 0, &error));
        p.instance[i].n_claims++;
        tried++;
    }
    for (uint32_t i = 0; i < p.n_openings; i++) {
        mica_status error = {0};
        const plan_opening was = p.opening[i];
        p.opening[i] = p.opening[i ? 0 : p.n_openings - 1];
        ck_assert(p.n_openings == 1 || !plan_check(&p, 0, &error));
        p.opening[i] = was;
        tried++;
    }
    for (uint32_t i = 0; i < p.n_claims; i++) {
        mica_status error = {0};
        const claim_source was = p.claim[i].source;
        if (was == CLAIM_PUBLIC)
            continue;
        p.claim[i].source = was == CLAIM_OUTPUT ? CLAIM_SENT : CLAIM_PUBLIC;
        ck_assert(!plan_check(&p, 0, &error));
        p.claim[i].source = was;
        tried++;
    }
    ck_assert_uint_gt(tried, 8);
    plan_free(&p);
    kit_free(&k);
}
END_TEST

START_TEST(batches_out_of_range) {
    kit k;
    plan p;
    make(&k, _i);
    const uint32_t wrong[2] = {0, k.c.max_batch + 1};
    for (unsigned i = 0; i < 2; i++) {
        mica_status st = {0};
        ck_assert(!plan_build(&p, &k.vk, wrong[i], &st));
        ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    }
    kit_free(&k);
}
END_TEST

/* --- circuits made to exhaust the verifier --- */

/* A tower of forms over 2 x 2 x ... x 2, each reading the one below twice, once with two axes exchanged and
 * one taken at 0: the number of claims grows with the product of all choices. */
static void build_tower(kit *k) {
    const uint32_t two[9] = {2, 2, 2, 2, 2, 2, 2, 2, 0};
    kit_begin(k, 1);
    uint32_t t = kit_input(k, 0, 0, two);
    for (unsigned i = 0; i < 80; i++) {
        mica_view v = kit_identity(k, t);
        v.axis[i % 8] = (int32_t)((i * 3 + 1) % 8);
        v.axis[(i * 3 + 1) % 8] = MICA_VIEW_AT(i % 2);
        const uint32_t above = kit_linear(k, t, 0, 0, 0);
        kit_term(k, t, 1, kit_identity(k, t));
        if (v.axis[i % 8] != (int32_t)(i % 8))
            kit_term(k, t, 1, v);
        else
            kit_term(k, t, 1, (mica_view){{1, 0, 2, 3, 4, 5, 6, MICA_VIEW_SUM}});
        t = above;
    }
    kit_output(k, t);
}

START_TEST(claims_may_not_explode) {
    kit k;
    plan p;
    mica_status st = {0};
    build_tower(&k);
    ck_assert_msg(mica_circuit_validate(&k.c, &st), "%s", st.message);
    k.vk.circuit = k.c;
    k.vk.security_bits = 40;
    ck_assert(!plan_build(&p, &k.vk, 1, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
}
END_TEST

/* A public input that is read at very many points. */
START_TEST(evaluations_are_bounded) {
    kit k;
    plan p;
    mica_status st = {0};
    kit_begin(&k, 1);
    const uint32_t x = kit_input(&k, 0, 0, (uint32_t[]){64, 1u << 24, 0});
    const uint32_t y = kit_linear(&k, kit_input(&k, 0, 0, (uint32_t[]){1u << 24, 0}), 0, 0, 0);
    for (unsigned i = 0; i < 64; i++)
        kit_term(&k, x, 1, (mica_view){{MICA_VIEW_AT(i), 0}});
    kit_term(&k, x + 1, 1, kit_identity(&k, x + 1));
    kit_output(&k, y);
    ck_assert_msg(mica_circuit_validate(&k.c, &st), "%s", st.message);
    k.vk.circuit = k.c;
    k.vk.security_bits = 40;
    ck_assert(!plan_build(&p, &k.vk, 1, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    ck_assert_msg(strstr(st.message, "too much work") != NULL, "%s", st.message);
}
END_TEST

/* The shape of the weights' rows is read from the parameters. */
START_TEST(shapes_of_commitments_are_bounded) {
    enum { CELL_BITS = LINE_CODE_MAX_LOG };
    static const struct {
        unsigned col_vars, rate_bits;
        const char *said;
    } shapes[] = {
        {CELL_BITS - PCS_MAX_ROW_BITS, 1, NULL},
        {CELL_BITS - PCS_MAX_ROW_BITS - 1, 1, "a commitment of 67108864 cells needs more than 2^20 rows"},
        {0, 1, "a commitment of 67108864 cells needs more than 2^20 rows"},
        {8, 0, "a commitment with rows of 2^8 cells at rate 1/2^0"},
        {8, PCS_MAX_RATE_BITS, NULL},
        {8, PCS_MAX_RATE_BITS + 1, "a commitment with rows of 2^8 cells at rate 1/2^"},
        {8, UINT32_MAX, "a commitment with rows of 2^8 cells at rate 1/2^4294967295"},
        {LINE_CODE_MAX_LOG - 1, 1, NULL},
        {LINE_CODE_MAX_LOG, 1, "a commitment with rows of 2^"},
    };
    kit k;
    uint64_t seed = 1;
    kit_begin(&k, 1);
    k.tensor[kit_weight(&k, -1, 1, (uint32_t[]){2, 0}, &seed)].dim[0] = 1u << CELL_BITS;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        layout l;
        mica_status st = {0};
        ck_assert(layout_place(&l, &k.c, MICA_TENSOR_WEIGHT, 1, &st));
        const bool ok = layout_shape(&l, &k.c, 1, shapes[i].col_vars, shapes[i].rate_bits, 26, &st);
        ck_assert_msg(ok == !shapes[i].said, "case %zu: %s", i, st.message);
        if (!ok) {
            ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
            ck_assert_msg(strstr(st.message, shapes[i].said) != NULL, "case %zu: %s", i, st.message);
        }
        layout_free(&l);
    }
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("plan");
    TCase *t = tcase_create("plans");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, layouts_match_brute_force, 0, SAMPLES);
    tcase_add_loop_test(t, claims_are_reduced_once, 0, SAMPLES);
    tcase_add_loop_test(t, open_claims_are_noticed, 0, SAMPLES);
    tcase_add_loop_test(t, batches_out_of_range, 0, SAMPLES);
    tcase_add_test(t, claims_may_not_explode);
    tcase_add_test(t, evaluations_are_bounded);
    tcase_add_test(t, shapes_of_commitments_are_bounded);
    suite_add_tcase(s, t);
    return suite_run(s);
}
