#include "circuit_kit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kit *running; /* model.run has no context of its own */

uint32_t kit_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*seed >> 33);
}

void kit_begin(kit *k, uint32_t max_batch) {
    memset(k, 0, sizeof *k);
    k->c.tensor = k->tensor;
    k->c.linear = k->linear;
    k->c.term = k->term;
    k->c.box = k->box;
    k->c.contract = k->contract;
    k->c.placement = k->placement;
    k->c.index = k->index;
    k->c.lookup = k->lookup;
    k->c.table = k->table;
    k->c.input = k->input;
    k->c.output = k->output;
    k->c.layer = k->layer;
    k->c.n_layers = 1;
    k->c.max_batch = max_batch;
    strcpy(k->layer[0].name, "kit");
    strcpy(k->layer[0].op, "Kit");
    k->cheat_step = KIT_END;
}

static uint32_t add_tensor(kit *k, mica_tensor_kind kind, bool batched, int32_t lo, int32_t hi,
                           const uint32_t *dim, uint32_t def) {
    const uint32_t t = k->c.n_tensors++;
    mica_tensor *x = &k->tensor[t];
    *x = (mica_tensor){.kind = kind, .batched = batched, .lo = lo, .hi = hi, .def = def};
    for (; dim[x->rank]; x->rank++)
        x->dim[x->rank] = dim[x->rank];
    return t;
}

static uint64_t cells_of(const mica_tensor *x) {
    uint64_t n = 1;
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

static void set_port(kit *k, mica_port *p, uint32_t t, const char *name) {
    *p = (mica_port){.tensor = t, .mantissa = 1 << 30, .exponent = -30, .onnx_batched = true};
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    p->onnx_rank = k->tensor[t].rank;
    for (unsigned i = 0; i < p->onnx_rank; i++) {
        p->onnx_dim[i] = k->tensor[t].dim[i];
        p->axis_order[i] = (uint8_t)i;
    }
}

uint32_t kit_input(kit *k, int32_t lo, int32_t hi, const uint32_t *dim) {
    const uint32_t t = add_tensor(k, MICA_TENSOR_INPUT, true, lo, hi, dim, 0);
    set_port(k, &k->input[k->c.n_inputs++], t, "x");
    return t;
}

uint32_t kit_hidden_input(kit *k, mica_visibility visibility, int32_t lo, unsigned n, const uint8_t *bits,
                          const uint32_t *dim) {
    uint32_t digit[4] = {0};
    unsigned total = 0;
    for (unsigned i = 0; i < n; i++) {
        const mica_table_def range = {.kind = MICA_TABLE_RANGE, .bits = bits[i]};
        const uint32_t table = kit_table(k, range);
        digit[i] = kit_witness(k, true, 0, (1 << bits[i]) - 1, dim);
        kit_lookup(k, table, digit[i], KIT_END);
        total += bits[i];
    }
    const uint32_t x = kit_linear(k, digit[0], 0, lo, lo + (1 << total) - 1);
    for (unsigned i = 0, at = 0; i < n; at += bits[i++])
        kit_term(k, digit[i], 1 << at, kit_identity(k, x));
    if (lo)
        kit_box(k, lo);
    set_port(k, &k->input[k->c.n_inputs], x, "x");
    k->input[k->c.n_inputs++].visibility = visibility;
    return x;
}

void kit_output(kit *k, uint32_t t) {
    set_port(k, &k->output[k->c.n_outputs++], t, "y");
}

uint32_t kit_weight(kit *k, int32_t lo, int32_t hi, const uint32_t *dim, uint64_t *seed) {
    const uint32_t t = add_tensor(k, MICA_TENSOR_WEIGHT, false, lo, hi, dim, 0);
    const uint64_t n = cells_of(&k->tensor[t]);
    k->weight[t] = malloc(n * sizeof(int32_t));
    for (uint64_t i = 0; i < n; i++)
        k->weight[t][i] = lo + (int32_t)(kit_random(seed) % (uint32_t)(hi - lo + 1));
    return t;
}

uint32_t kit_witness(kit *k, bool batched, int32_t lo, int32_t hi, const uint32_t *dim) {
    return add_tensor(k, MICA_TENSOR_WITNESS, batched, lo, hi, dim, 0);
}

uint32_t kit_linear(kit *k, uint32_t like, unsigned shift, int32_t lo, int32_t hi) {
    uint32_t dim[MICA_MAX_RANK + 1] = {0};
    memcpy(dim, k->tensor[like].dim, k->tensor[like].rank * sizeof *dim);
    const uint32_t def = k->c.n_linear++;
    k->linear[def] =
        (mica_linear){.shift = (uint8_t)shift, .first_term = k->c.n_terms, .first_box = k->c.n_boxes};
    return add_tensor(k, MICA_TENSOR_LINEAR, k->tensor[like].batched, lo, hi, dim, def);
}

mica_view kit_identity(const kit *k, uint32_t t) {
    mica_view v = {{0}};
    for (unsigned i = 0; i < k->tensor[t].rank; i++)
        v.axis[i] = (int32_t)i;
    return v;
}

void kit_term(kit *k, uint32_t t, int32_t coef, mica_view view) {
    k->term[k->c.n_terms++] = (mica_term){t, coef, view};
    k->linear[k->c.n_linear - 1].n_terms++;
}

void kit_box(kit *k, int32_t coef) {
    mica_box *b = &k->box[k->c.n_boxes++];
    const mica_tensor *x = &k->tensor[k->c.n_tensors - 1];
    *b = (mica_box){.coef = coef};
    memcpy(b->hi, x->dim, x->rank * sizeof *b->hi);
    k->linear[k->c.n_linear - 1].n_boxes++;
}

uint32_t kit_contract(kit *k, bool batched, int32_t lo, int32_t hi, const uint32_t *dim, mica_contract d) {
    k->contract[k->c.n_contract] = d;
    return add_tensor(k, MICA_TENSOR_CONTRACT, batched, lo, hi, dim, k->c.n_contract++);
}

uint32_t kit_placement(kit *k, int32_t lo, int32_t hi, const uint32_t *dim, mica_placement p) {
    k->placement[k->c.n_placement] = p;
    return add_tensor(k, MICA_TENSOR_PLACEMENT, k->tensor[p.src].batched, lo, hi, dim, k->c.n_placement++);
}

mica_factor kit_listed(kit *k, mica_factor f, uint32_t n, const uint32_t *index) {
    f.first_index = k->c.n_indices;
    f.n_indices = n;
    memcpy(k->index + k->c.n_indices, index, n * sizeof *index);
    k->c.n_indices += n;
    return f;
}

uint32_t kit_table(kit *k, mica_table_def def) {
    const uint32_t dim[2] = {1u << def.bits, 0};
    k->table[k->c.n_tables] = (mica_table){def, kit_witness(k, false, 0, INT32_MAX - 2, dim)};
    return k->c.n_tables++;
}

void kit_lookup(kit *k, uint32_t table, uint32_t a, uint32_t b) {
    k->lookup[k->c.n_lookups++] =
        (mica_lookup){.table = table, .n_entries = b == KIT_END ? 1 : 2, .entry = {a, b == KIT_END ? 0 : b}};
}

void kit_step_add(kit *k, kit_rule rule, uint32_t table, uint32_t a, uint32_t b, uint32_t c) {
    k->step[k->n_steps++] = (kit_step){rule, {a, b, c, KIT_END}, table};
}

uint32_t kit_requantise(kit *k, uint32_t acc, unsigned s, unsigned c, mica_table_kind kind, double ratio,
                        int32_t lo, int32_t hi) {
    uint32_t dim[MICA_MAX_RANK + 1] = {0};
    memcpy(dim, k->tensor[acc].dim, k->tensor[acc].rank * sizeof *dim);
    mica_table_def def = {
        .kind = kind, .bits = (uint8_t)c, .lo_key = -(1 << (c - 1)), .lo_value = lo, .hi_value = hi};
    (void)mica_dyadic_from_double(&def.in_scale, ratio);
    (void)mica_dyadic_from_double(&def.out_scale, 1.0);
    const uint32_t table = kit_table(k, def);
    uint32_t lo_t = KIT_END;
    if (s) {
        const uint32_t range = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RANGE, .bits = (uint8_t)s});
        lo_t = kit_witness(k, true, 0, (1 << s) - 1, dim);
        kit_lookup(k, range, lo_t, KIT_END);
    }
    const uint32_t h = kit_linear(k, acc, s, -(1 << (c - 1)), (1 << (c - 1)) - 1);
    kit_term(k, acc, 1, kit_identity(k, acc));
    if (s) {
        kit_term(k, lo_t, -1, kit_identity(k, acc));
        kit_box(k, 1 << (s - 1));
    }
    const uint32_t y = kit_witness(k, true, lo < 0 ? lo : 0, hi > 0 ? hi : 0, dim);
    kit_lookup(k, table, h, y);
    kit_step_add(k, KIT_REQUANTISE, table, h, lo_t, y);
    return y;
}

/* --- evaluation by the definitions --- */

static size_t padded_index(const mica_tensor *x, const uint32_t *index) {
    size_t at = 0;
    for (unsigned i = 0; i < x->rank; i++)
        at = at << mica_log2_ceil(x->dim[i]) | index[i];
    return at;
}

static bool next_index(const uint32_t *dim, unsigned n, uint32_t *index) {
    for (unsigned i = n; i-- > 0;) {
        if (++index[i] < dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

static int64_t cell(const kit *k, const mica_frame *f, uint32_t t, const uint32_t *index);

static int64_t term_cell(const kit *k, const mica_frame *f, const mica_term *m, const uint32_t *index) {
    const mica_tensor *o = &k->tensor[m->tensor];
    uint32_t at[MICA_MAX_RANK] = {0}, sum_dim[MICA_MAX_RANK], sum[MICA_MAX_RANK] = {0};
    unsigned sum_axis[MICA_MAX_RANK], n = 0;
    for (unsigned i = 0; i < o->rank; i++) {
        const int32_t a = m->view.axis[i];
        if (a >= 0) {
            at[i] = index[a];
        } else if (MICA_VIEW_IS_AT(a)) {
            at[i] = MICA_VIEW_AT_INDEX(a);
        } else {
            sum_dim[n] = o->dim[i];
            sum_axis[n++] = i;
        }
    }
    int64_t total = 0;
    do {
        for (unsigned i = 0; i < n; i++)
            at[sum_axis[i]] = sum[i];
        total += cell(k, f, m->tensor, at);
    } while (next_index(sum_dim, n, sum));
    return total * m->coef;
}

static int64_t linear_sum(const kit *k, const mica_frame *f, uint32_t t, const uint32_t *index,
                          uint32_t without) {
    const mica_tensor *x = &k->tensor[t];
    const mica_linear *l = &k->linear[x->def];
    int64_t total = 0;
    for (uint32_t i = 0; i < l->n_terms; i++) {
        if (k->term[l->first_term + i].tensor != without)
            total += term_cell(k, f, &k->term[l->first_term + i], index);
    }
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &k->box[l->first_box + i];
        bool inside = true;
        for (unsigned j = 0; j < x->rank; j++)
            inside &= index[j] >= b->lo[j] && index[j] < b->hi[j];
        total += inside ? b->coef : 0;
    }
    return total;
}

static int64_t contract_cell(const kit *k, const mica_frame *f, uint32_t t, const uint32_t *index) {
    const mica_tensor *x = &k->tensor[t];
    const mica_contract *d = &k->contract[x->def];
    uint32_t label[MICA_MAX_LABELS] = {0}, dim[MICA_MAX_LABELS], run[MICA_MAX_LABELS] = {0};
    unsigned which[MICA_MAX_LABELS], n = 0;
    for (unsigned i = 0; i < d->n_labels; i++) {
        bool out = false;
        for (unsigned j = 0; j < x->rank; j++) {
            if (d->out_label[j] == i) {
                label[i] = index[j];
                out = true;
            }
        }
        if (!out) {
            which[n] = i;
            dim[n++] = d->label_dim[i];
        }
    }
    int64_t total = 0;
    do {
        uint32_t a[MICA_MAX_RANK], b[MICA_MAX_RANK];
        for (unsigned i = 0; i < n; i++)
            label[which[i]] = run[i];
        for (unsigned i = 0; i < k->tensor[d->a].rank; i++)
            a[i] = d->a_view.axis[i] >= 0 ? label[d->a_view.axis[i]] : MICA_VIEW_AT_INDEX(d->a_view.axis[i]);
        for (unsigned i = 0; i < k->tensor[d->b].rank; i++)
            b[i] = d->b_view.axis[i] >= 0 ? label[d->b_view.axis[i]] : MICA_VIEW_AT_INDEX(d->b_view.axis[i]);
        total += cell(k, f, d->a, a) * cell(k, f, d->b, b);
    } while (next_index(dim, n, run));
    return total;
}

static int64_t placement_cell(const kit *k, const mica_frame *f, uint32_t t, const uint32_t *index) {
    const mica_placement *p = &k->placement[k->tensor[t].def];
    const mica_tensor *src = &k->tensor[p->src];
    uint32_t at[MICA_MAX_RANK] = {0};
    int64_t weight = 1;
    for (unsigned i = 0; i < p->n_factors; i++) {
        const mica_factor *m = &p->factor[i];
        int64_t flat = m->offset, cells = 1, row = 0;
        for (unsigned j = 0; j < m->n_out; j++) {
            flat += (int64_t)m->out_stride[j] * index[m->out_axis[j]];
            row = row * k->tensor[t].dim[m->out_axis[j]] + index[m->out_axis[j]];
        }
        if (m->n_indices)
            flat = k->index[m->first_index + row];
        for (unsigned j = 0; j < m->n_src; j++)
            cells *= src->dim[m->src_axis[j]];
        if (flat < 0 || flat >= cells)
            return 0;
        if (m->norm) {
            const unsigned axis = m->count_axis;
            int64_t count = 0;
            for (uint32_t v = 0; v < k->tensor[t].dim[m->out_axis[axis]]; v++) {
                const int64_t other =
                    flat + (int64_t)m->out_stride[axis] * ((int64_t)v - index[m->out_axis[axis]]);
                count += other >= 0 && other < cells;
            }
            weight *= m->norm / count; // NOLINT(clang-analyzer-core.DivideZero): v = index counts
        }
        for (unsigned j = m->n_src; j-- > 0; flat /= src->dim[m->src_axis[j]])
            at[m->src_axis[j]] = (uint32_t)(flat % src->dim[m->src_axis[j]]);
    }
    return weight * cell(k, f, p->src, at);
}

static int64_t cell(const kit *k, const mica_frame *f, uint32_t t, const uint32_t *index) {
    const mica_tensor *x = &k->tensor[t];
    if (x->kind == MICA_TENSOR_CONTRACT)
        return contract_cell(k, f, t, index);
    if (x->kind == MICA_TENSOR_PLACEMENT)
        return placement_cell(k, f, t, index);
    return f->value[t][padded_index(x, index)];
}

static void run_step(const kit *k, const mica_frame *f, const kit_step *s) {
    const mica_tensor *x = &k->tensor[s->t[0]];
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = padded_index(x, index);
        if (s->rule == KIT_EVALUATE) {
            f->value[s->t[0]][at] =
                (int32_t)(x->kind == MICA_TENSOR_LINEAR ? linear_sum(k, f, s->t[0], index, KIT_END)
                                                        : cell(k, f, s->t[0], index));
        } else if (s->rule == KIT_REQUANTISE) {
            const unsigned shift = k->linear[x->def].shift;
            const int64_t sum = linear_sum(k, f, s->t[0], index, s->t[1]);
            const int64_t h = sum >> shift;
            if (shift)
                f->value[s->t[1]][at] = (int32_t)(sum - h * ((int64_t)1 << shift));
            f->value[s->t[0]][at] = (int32_t)h;
            f->value[s->t[2]][at] = f->table[s->table][h - k->table[s->table].def.lo_key];
        } else if (s->rule == KIT_LOOKUP) {
            f->value[s->t[1]][at] = f->table[s->table][f->value[s->t[0]][at] - k->table[s->table].def.lo_key];
        } else {
            const int64_t d = linear_sum(k, f, s->t[1], index, KIT_END);
            const int64_t b = -linear_sum(k, f, s->t[2], index, s->t[0]);
            f->value[s->t[1]][at] = (int32_t)d;
            f->value[s->t[2]][at] = (int32_t)(d > 0 ? d : 0);
            f->value[s->t[0]][at] = (int32_t)(b + (d > 0 ? d : 0));
        }
    } while (next_index(x->dim, x->rank, index));
}

static atomic_bool told; /* the lie, in this proof */

static void kit_run(const mica_frame *f) {
    for (uint32_t i = 0; i < running->n_steps; i++) {
        run_step(running, f, &running->step[i]);
        if (i == running->cheat_step && (!running->cheat_once || !atomic_exchange(&told, true)))
            f->value[running->cheat_tensor][running->cheat_cell] += running->cheat_by;
    }
}

/* --- proving --- */

bool kit_finish(kit *k, unsigned security_bits) {
    mica_status st = {0};
    k->vk.circuit = k->c;
    k->vk.security_bits = security_bits;
    const bool ok =
        mica_circuit_validate(&k->c, &st) && mica_record_add(&k->vk.record, "mica", "kit", &st) &&
        mica_weights_commit(&k->vk, (const int32_t *const *)k->weight, &k->weights, &k->weights_size, &st) &&
        mica_vk_write(&k->vk, &k->vk_bytes, &k->vk_size, &st);
    if (!ok)
        (void)fprintf(stderr, "kit: %s\n", st.message);
    k->model = (mica_model){k->vk_bytes, k->vk_size, k->weights, k->weights_size, 64,
                            kit_run,     NULL,       NULL,       false,           false};
    return ok;
}

void kit_free(kit *k) {
    for (uint32_t t = 0; t < KIT_MAX; t++)
        free(k->weight[t]);
    free(k->vk_bytes);
    free(k->weights);
    mica_record_free(&k->vk.record);
}

bool kit_prove(kit *k, uint32_t batch, uint64_t seed, uint8_t **file, size_t *size, mica_status *st) {
    return kit_prove_as(k, batch, seed, 0, file, size, NULL, st);
}

bool kit_prove_as(kit *k, uint32_t batch, uint64_t seed, unsigned savings, uint8_t **file, size_t *size,
                  mica_prove_stats *stats, mica_status *st) {
    running = k;
    atomic_store(&told, false);
    mica_prover *p = mica_prover_create(&k->model, 0, st);
    mica_statement s;
    bool ok = p && mica_statement_create(&s, &k->c, batch, st);
    if (ok) {
        if (k->cheat_prover)
            k->cheat_prover(p);
        for (uint32_t i = 0; i < k->c.n_inputs; i++) {
            const mica_tensor *x = &k->tensor[k->input[i].tensor];
            for (uint64_t j = 0; j < cells_of(x) * batch; j++)
                s.input[i][j] = x->lo + (int32_t)(kit_random(&seed) % (uint32_t)(x->hi - x->lo + 1));
        }
        mica_prover_set_savings(p, savings);
        ok = mica_prover_prove(p, &s, file, size, stats, NULL, NULL, st);
        mica_statement_free(&s, &k->c);
    }
    mica_prover_free(p);
    return ok;
}

bool kit_verify(const kit *k, const uint8_t *file, size_t size, mica_verdict *verdict, mica_status *st) {
    mica_vk vk;
    mica_statement s;
    size_t used;
    *verdict = (mica_verdict){0};
    if (!mica_vk_read(&vk, k->vk_bytes, k->vk_size, st))
        return false;
    bool ok = mica_statement_read(&s, &vk.circuit, file, size, &used, st, verdict);
    if (ok) {
        const mica_verify_options options = {.min_security_bits = vk.security_bits};
        ok = mica_verify(&vk, &s, file + used, size - used, &options, verdict, st);
        mica_statement_free(&s, &vk.circuit);
    }
    mica_vk_free(&vk);
    return ok;
}
