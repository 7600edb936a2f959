/* The prover of an opening, in parts: rows (claims on the groups to a form on the level-1 message), classes
 * (what claims with one column point share), columns (what queries into a group open), levels (the rest). All
 * numbers of claims are of the order of hundreds; what is large are the matrices and the message of level 1.
 */
#ifndef MICA_PCS_PCS_OPEN_PROVE_H
#define MICA_PCS_PCS_OPEN_PROVE_H

#include "pcs/pcs_cheat.h"
#include "pcs/pcs_prove.h"
#include "pcs/pcs_schedule.h"

/* Claims of one group with the same column part zc:  sum_row weight[row] rows[row],  rows[row] = <P[row],
 * eq(zc)>, weight[row] = sum_j gamma^j eq(zr_j, row). Where the top coordinates of zc are 0 or 1, eq(zc)
 * lives on one block. */
typedef struct row_class {
    unsigned group;
    const qm31 *zc;
    unsigned block_vars;
    uint64_t block_at;
    qvec rows, weight; /* [2^a] */
} row_class;

typedef struct opening {
    mica_channel *ch;
    const pcs_params *p;
    const pcs_committed *group;
    mica_arena *arena;
    mica_status *st;
    row_class *class;
    size_t n_classes;
    qm31 group_sum[PCS_MAX_GROUPS]; /* sum of gamma^j v_j over the claims of the group */
    qm31 row_point[PCS_MAX_ROW_BITS];
    qvec message, form; /* of the present level */
    /* codeword and tree of the level that the next step queries */
    m31 *codeword;
    merkle_tree tree;
} opening;

/* Sends the message of a sumcheck round and returns the challenge that answers it. Level 0: the rows. */
static inline qm31 open_send_round(opening *o, unsigned level, unsigned v, qm31 message[PCS_ROUND_VALUES]) {
    qm31 x;
    (void)level; /* for hooks */
    (void)v;
    PCS_CHEAT(round, level, v, message);
    channel_qm31(o->ch, TAG_OPEN_ROUND, message, PCS_ROUND_VALUES);
    channel_challenge(o->ch, TAG_OPEN_POINT, &x, 1);
    PCS_CHEAT(point, level, v, x);
    return x;
}

/* From claims on the groups to message and form of level 1. */
bool open_rows(opening *o, const pcs_claim *claim, size_t n_claims);
/* What open_rows takes of the arena at most. */
size_t open_rows_workspace(const pcs_params *p, size_t n_claims);
/* Takes of an arena what open_rows takes, and as pcs_open_dry. */
bool open_rows_dry(const pcs_params *p, const pcs_committed *group, const pcs_claim *claim, size_t n_claims,
                   mica_arena *arena, mica_status *st);

/* The number of coordinates that are left without the top ones that are exactly 0 or 1: eq(z, .) is eq of the
 * rest on the block at *at, zero elsewhere. */
unsigned open_support_of_eq(const qm31 *z, unsigned n, uint64_t *at);
/* rows[row] of every class, for rows that are present; eq [room], at least a group's row, is scratch. */
bool open_classes(opening *o, qvec eq, size_t room);
/* Adds weight_c(r) eq(zc_c) of every class, bound to r, to the part of the form that belongs to its group.
 * eq: as above. */
bool open_classes_form(opening *o, qvec eq);
/* What open_classes takes of the arena at most, and as pcs_open_dry; and open_classes_form for classes of
 * group g. */
size_t open_classes_workspace(const pcs_params *p, size_t n_claims);
bool open_classes_dry(const pcs_params *p, const pcs_committed *group, const row_class *class,
                      size_t n_classes, mica_arena *arena, mica_status *st);
size_t open_classes_form_bytes(const pcs_params *p, unsigned g);

/* column[q * n_present + i] = codeword of present row i of a group at index[q], q < n, for a group whose
 * codeword was not kept. */
bool open_group_columns(const pcs_committed *c, const uint32_t *index, size_t n, m31 *column,
                        mica_arena *arena, mica_status *st);
/* What open_group_columns takes of the arena at most. */
size_t open_group_columns_workspace(const pcs_shape *s, size_t n);
/* As pcs_open_dry. */
bool open_group_columns_dry(const pcs_committed *c, const pcs_shape *s, size_t n, mica_arena *arena,
                            mica_status *st);

/* Queries of one source of one step: distinct indices, and T_{2^j}(x) for each. */
typedef struct query_set {
    pcs_source source;
    uint32_t *index;
    m31 *power; /* [n][col_vars] */
    size_t n;
} query_set;

/* Adds *gamma_power gamma^k w_{x_k} of the queries of one source to its part of the form. */
bool open_add_queries(opening *o, const query_set *q, qm31 gamma, qm31 *gamma_power);
/* What it takes of the arena for n queries, and at most. */
size_t open_add_queries_bytes(const pcs_source *s, size_t n);
size_t open_add_queries_most(const pcs_source *s);

#endif
