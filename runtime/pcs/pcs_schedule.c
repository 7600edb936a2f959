#include "pcs/pcs_schedule.h"

#include <string.h>

#include "base/require.h"
#include "code/line_code.h"

unsigned pcs_step_sources(const pcs_params *p, unsigned step, pcs_source source[PCS_MAX_GROUPS]) {
    MICA_REQUIRE(step <= p->n_levels);
    if (step == 0) {
        for (unsigned g = 0; g < p->n_groups; g++) {
            const pcs_shape *s = &p->group[g];
            source[g] = (pcs_source){s->col_vars,     s->rate_bits, p->group_queries[g],
                                     s->digest_bytes, s->n_present, p->group_offset[g]};
        }
        return p->n_groups;
    }
    const pcs_level *level = &p->level[step - 1];
    source[0] = (pcs_source){level->col_vars,
                             level->rate_bits,
                             level->queries,
                             p->digest_bytes,
                             QM31_DEGREE * pcs_level_rows(p, step - 1),
                             0};
    return 1;
}

unsigned pcs_row_vars(const pcs_params *p) {
    unsigned most = 0;
    for (unsigned g = 0; g < p->n_groups; g++)
        most = p->group[g].row_vars > most ? p->group[g].row_vars : most;
    return most;
}

uint64_t pcs_message_size(const pcs_params *p) {
    uint64_t size = 0;
    for (unsigned g = 0; g < p->n_groups; g++)
        size += 1ull << p->group[g].col_vars;
    return size;
}

size_t pcs_level_rows(const pcs_params *p, unsigned l) {
    if (l)
        return (size_t)1 << p->level[l].row_vars;
    const unsigned b = p->level[0].col_vars;
    return (size_t)((pcs_message_size(p) + (1ull << b) - 1) >> b);
}

size_t pcs_clear_size(const pcs_params *p) {
    return p->n_levels ? (size_t)1 << p->final_vars : (size_t)pcs_message_size(p);
}

size_t pcs_total_queries(const pcs_params *p) {
    size_t total = 0;
    for (unsigned g = 0; g < p->n_groups; g++)
        total += p->group_queries[g];
    for (unsigned l = 0; l < p->n_levels; l++)
        total += p->level[l].queries;
    return total;
}

void pcs_stack_groups(pcs_params *p) {
    uint64_t at = 0;
    for (int b = LINE_CODE_MAX_LOG; b >= 0; b--) {
        for (unsigned g = 0; g < p->n_groups; g++) {
            if (p->group[g].col_vars == (unsigned)b) {
                p->group_offset[g] = at;
                at += 1ull << b;
            }
        }
    }
    p->message_vars = 0;
    while ((1ull << p->message_vars) < at)
        p->message_vars++;
}

static bool code_wellformed(unsigned col_vars, unsigned rate_bits, unsigned queries) {
    return rate_bits >= 1 && rate_bits <= PCS_MAX_RATE_BITS && col_vars <= LINE_CODE_MAX_LOG &&
           col_vars + rate_bits <= LINE_CODE_MAX_LOG && queries >= 1 && queries <= PCS_MAX_QUERIES;
}

static bool digest_wellformed(unsigned bytes) {
    return bytes >= 1 && bytes <= MERKLE_DIGEST;
}

static bool shape_wellformed(const pcs_shape *s) {
    if (s->row_vars > PCS_MAX_ROW_BITS || !digest_wellformed(s->digest_bytes) || s->n_present < 1 ||
        s->n_present > 1u << s->row_vars)
        return false;
    for (uint32_t i = 0; i < s->n_present; i++) {
        if (s->present[i] >> s->row_vars || (i && s->present[i - 1] >= s->present[i]))
            return false;
    }
    return true;
}

bool pcs_params_wellformed(const pcs_params *p) {
    if (p->n_groups < 1 || p->n_groups > PCS_MAX_GROUPS || p->n_levels > PCS_MAX_LEVELS ||
        p->query_pow_bits > PCS_MAX_POW_BITS || !digest_wellformed(p->digest_bytes))
        return false;
    for (unsigned g = 0; g < p->n_groups; g++) {
        const pcs_shape *s = &p->group[g];
        if (!code_wellformed(s->col_vars, s->rate_bits, p->group_queries[g]) || !shape_wellformed(s))
            return false;
    }
    pcs_params stacked = *p;
    pcs_stack_groups(&stacked);
    for (unsigned g = 0; g < p->n_groups; g++) {
        if (p->group_offset[g] != stacked.group_offset[g])
            return false;
    }
    unsigned vars = stacked.message_vars;
    if (p->message_vars != vars)
        return false;
    for (unsigned l = 0; l < p->n_levels; l++) {
        const pcs_level *level = &p->level[l];
        if (!code_wellformed(level->col_vars, level->rate_bits, level->queries) ||
            level->row_vars > PCS_MAX_ROW_BITS || level->row_vars + level->col_vars != vars)
            return false;
        vars = level->col_vars;
    }
    return p->final_vars == vars;
}

bool pcs_claims_wellformed(const pcs_params *p, const pcs_claim *claim, size_t n_claims) {
    for (size_t j = 0; j < n_claims; j++) {
        if (claim[j].group >= p->n_groups)
            return false;
    }
    return n_claims >= 1 && n_claims < UINT32_MAX;
}

qm31 pcs_combine_claims(mica_channel *ch, const pcs_claim *claim, size_t n_claims) {
    qm31 gamma;
    for (size_t j = 0; j < n_claims; j++)
        transcript_absorb_qm31(&ch->transcript, TAG_CLAIMS, &claim[j].value, 1);
    channel_challenge(ch, TAG_OPEN_GAMMA, &gamma, 1);
    return gamma;
}

size_t pcs_draw_queries(mica_channel *ch, const pcs_source *s, uint32_t *index) {
    const size_t t = s->queries;
    transcript_indices(&ch->transcript, TAG_OPEN_QUERY, s->col_vars + s->rate_bits, index, t);
    /* Insertion sort: t is about a hundred. */
    for (size_t i = 1; i < t; i++) {
        const uint32_t x = index[i];
        size_t j = i;
        for (; j > 0 && index[j - 1] > x; j--)
            index[j] = index[j - 1];
        index[j] = x;
    }
    size_t distinct = 0;
    for (size_t i = 0; i < t; i++) {
        if (i == 0 || index[i] != index[distinct - 1])
            index[distinct++] = index[i];
    }
    return distinct;
}

static bool same_class(const pcs_params *p, const pcs_claim *x, const pcs_claim *y) {
    return x->group == y->group &&
           memcmp(x->point, y->point, p->group[x->group].col_vars * sizeof(qm31)) == 0;
}

size_t pcs_classes(const pcs_params *p, const pcs_claim *claim, size_t n_claims, uint32_t *class_of,
                   uint32_t *first) {
    size_t n = 0;
    for (size_t j = 0; j < n_claims; j++) {
        size_t c = 0;
        while (c < n && !same_class(p, &claim[j], &claim[first[c]]))
            c++;
        if (c == n)
            first[n++] = (uint32_t)j;
        class_of[j] = (uint32_t)c;
    }
    return n;
}
