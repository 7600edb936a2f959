/* The choice of parameters: a deterministic search in integers over query proof of work, rates and level
 * shapes.
 *
 * Every candidate meets the target; among them the search minimises
 *     cost = expected proof bytes + prover work,
 * where COST_NS_PER_BYTE nanoseconds of work count as one byte: 0.6 milliseconds of proving are worth a
 * kilobyte of proof. The numbers below are throughputs of two cores with 256-bit vectors; a machine that
 * differs gets a proof that is a little larger or slower than its best, never a weaker one.
 */
#include <string.h>

#include "code/line_code.h"
#include "pcs/pcs_schedule.h"
#include "soundness/soundness.h"

#define COST_NS_PER_BYTE 600
#define COST_ENCODE      4    /* 1/16 ns per butterfly */
#define COST_HASH_BLOCK  144  /* 1/16 ns per 64 bytes: 2^20 in about 9 ms, as in grinding */
#define COST_FORM        5    /* 1/16 ns per element of a query functional added to the linear form */
#define COST_ROUND       48   /* 1/16 ns per element and level of the sumcheck */
#define COST_CLEAR_BYTES 2    /* per element of the clear message: evaluating about 500 forms on it */
#define COST_TREE        1024 /* bytes of a stored tree that count as one */
#define COST_QUERY                                                                                           \
    12 /* 1/256 ns per queried column and cell of a group that is not encoded: three products */
#define WORDS_PER_BLOCK 16
#define UNITS_PER_BYTE  (16ull * COST_NS_PER_BYTE)

#define POW_MIN            10
#define POW_MAX            22
#define MAX_LEVEL_ROW_VARS 7
#define MAX_CLEAR_VARS     12
#define MAX_CODE           LINE_CODE_MAX_LOG
#define MAX_MESSAGE_VARS   (MAX_CODE + 3)
#define GROUP_RESERVE      2 /* pcs_choose_row_bits leaves room for 2^2 groups of the same length */
#define INFEASIBLE         (UINT64_MAX / 4)

/* Queries of every rate for one difficulty, and the expected shape of their multiproofs. */
typedef struct query_table {
    unsigned pow_bits, digest_bytes;
    unsigned queries[PCS_MAX_RATE_BITS + 1];
    uint64_t distinct[PCS_MAX_RATE_BITS + 1][MAX_CODE + 1]; /* 1/256 */
    uint64_t siblings[PCS_MAX_RATE_BITS + 1][MAX_CODE + 1]; /* 1/256 */
} query_table;

/* The cheapest way to finish an opening whose next message has a given length. */
typedef struct tail {
    uint64_t cost;
    unsigned levels;              /* 0: in the clear */
    unsigned row_vars, rate_bits; /* of the first of them */
} tail;

static void table_fill(query_table *q, unsigned security_bits, unsigned pow_bits) {
    q->pow_bits = pow_bits;
    q->digest_bytes = soundness_digest_bytes(security_bits);
    for (unsigned r = 1; r <= PCS_MAX_RATE_BITS; r++) {
        const unsigned t = soundness_queries(r, security_bits, pow_bits);
        q->queries[r] = t;
        uint64_t siblings = 0, known = pcs_expected_distinct(0, t);
        for (unsigned k = 1; k <= MAX_CODE; k++) {
            const uint64_t above = known;
            known = pcs_expected_distinct(k, t);
            siblings += 2 * above > known ? 2 * above - known : 0;
            q->distinct[r][k] = known;
            q->siblings[r][k] = siblings;
        }
    }
}

/* Bytes of the queried columns of one codeword of 2^k columns. */
static uint64_t columns_cost(const query_table *q, unsigned r, unsigned k, uint64_t n_words,
                             unsigned digest_bytes) {
    return (q->distinct[r][k] * channel_m31_bytes(n_words) + q->siblings[r][k] * digest_bytes) >> 8;
}

/* Encoding and hashing n_words rows of 2^k columns. */
static uint64_t commit_cost(unsigned k, uint64_t n_words) {
    const uint64_t blocks = (n_words + WORDS_PER_BLOCK - 1) / WORDS_PER_BLOCK + 1; /* + 1: the inner nodes */
    const uint64_t units = n_words * (k * COST_ENCODE / 2 + 1) + blocks * COST_HASH_BLOCK;
    return (units << k) / UNITS_PER_BYTE; /* n_words <= 2^22: units < 2^33, k <= 26 */
}

/* The functionals of the queries in the linear form of the message above. */
static uint64_t form_cost(const query_table *q, unsigned r, unsigned b) {
    return (((uint64_t)q->queries[r] * COST_FORM) << b) / UNITS_PER_BYTE;
}

static uint64_t pow_cost(unsigned pow_bits) {
    return sizeof(uint64_t) + ((COST_HASH_BLOCK * 1ull) << pow_bits) / UNITS_PER_BYTE;
}

/* A level of `rows` rows (of 2^a) of 2^b elements, from its root to the end of its rounds, and the queries
 * into it. */
static uint64_t level_cost(const query_table *q, unsigned a, unsigned b, unsigned r, uint64_t rows) {
    const unsigned k = b + r;
    return MERKLE_DIGEST + pow_cost(q->pow_bits) + (uint64_t)a * PCS_ROUND_VALUES * QM31_BYTES +
           commit_cost(k, QM31_DEGREE * rows) + columns_cost(q, r, k, QM31_DEGREE * rows, q->digest_bytes) +
           form_cost(q, r, b) + ((uint64_t)COST_ROUND << (a + b)) / UNITS_PER_BYTE;
}

static tail clear_tail(unsigned vars, uint64_t size) {
    return (tail){vars <= MAX_CLEAR_VARS ? size * (QM31_BYTES + COST_CLEAR_BYTES) : INFEASIBLE, 0, 0, 0};
}

/* The best tail for a message of 2^vars elements of which `size` can be non-zero; shorter[b], b < vars, are
 * known. */
static tail best_tail(const query_table *q, unsigned vars, uint64_t size, unsigned max_code,
                      const tail *shorter) {
    tail best = clear_tail(vars, size);
    for (unsigned a = 1; a <= vars && a <= MAX_LEVEL_ROW_VARS; a++) {
        const unsigned b = vars - a;
        if (shorter[b].cost >= INFEASIBLE || shorter[b].levels == PCS_MAX_LEVELS)
            continue;
        const uint64_t rows = (size + (1ull << b) - 1) >> b;
        for (unsigned r = 1; r <= PCS_MAX_RATE_BITS && b + r <= max_code; r++) {
            const uint64_t cost = level_cost(q, a, b, r, rows) + shorter[b].cost;
            if (cost < best.cost)
                best = (tail){cost, shorter[b].levels + 1, a, r};
        }
    }
    return best;
}

static void fill_tails(const query_table *q, unsigned max_code, unsigned vars, tail *t) {
    for (unsigned m = 0; m < vars; m++)
        t[m] = best_tail(q, m, 1ull << m, max_code, t);
}

/* The longest codeword, log2, that leaves a fold challenge the target; 0 if none does. */
static unsigned longest_code(unsigned security_bits) {
    unsigned k = 0;
    while (k < MAX_CODE && soundness_fold((2ull << k) + 2) >= (bits16)security_bits << 16)
        k++;
    return k;
}

static uint64_t group_cost(const query_table *q, uint64_t rows, unsigned b, unsigned r,
                           unsigned digest_bytes) {
    return columns_cost(q, r, b + r, rows, digest_bytes) + form_cost(q, r, b);
}

/* A group that is encoded once: its tree is stored, and queried columns are inner products with its cells
 * (pcs_columns_prove.c). */
static uint64_t once_cost(const query_table *q, uint64_t cells, unsigned k, unsigned r) {
    const uint64_t work = cells / 16 * q->queries[r] * COST_QUERY / UNITS_PER_BYTE; /* cells <= 2^46 */
    return work + ((uint64_t)2 * MERKLE_DIGEST << k) / COST_TREE;
}

static unsigned log2_ceil(uint64_t n) {
    unsigned e = 0;
    while ((1ull << e) < n)
        e++;
    return e;
}

void pcs_choose_row_bits(uint64_t cells, unsigned security_bits, pcs_commit_time when, unsigned *col_vars,
                         unsigned *rate_bits) {
    const unsigned longest = longest_code(security_bits);
    const unsigned max_code = longest > GROUP_RESERVE + 1 ? longest - GROUP_RESERVE : 1;
    const unsigned all_vars = log2_ceil(cells ? cells : 1);
    uint64_t best = UINT64_MAX;
    *col_vars = all_vars < max_code ? all_vars : max_code - 1; /* if nothing is feasible; refused later */
    *rate_bits = 1;
    for (unsigned pow_bits = POW_MIN; pow_bits <= POW_MAX; pow_bits++) {
        query_table q;
        tail t[MAX_CODE + 1];
        table_fill(&q, security_bits, pow_bits);
        fill_tails(&q, max_code, max_code, t);
        for (unsigned b = 0; b < max_code && b <= all_vars; b++) {
            const uint64_t rows = ((cells ? cells : 1) + (1ull << b) - 1) >> b;
            if (rows > 1u << PCS_MAX_ROW_BITS || t[b].cost >= INFEASIBLE)
                continue;
            for (unsigned r = 1; r <= PCS_MAX_RATE_BITS && b + r <= max_code; r++) {
                const uint64_t rounds = (uint64_t)log2_ceil(rows) * PCS_ROUND_VALUES * QM31_BYTES;
                const uint64_t commit =
                    when == PCS_ONCE ? once_cost(&q, cells, b + r, r) : commit_cost(b + r, rows);
                const uint64_t cost = group_cost(&q, rows, b, r, q.digest_bytes) + commit + rounds +
                                      pow_cost(pow_bits) + t[b].cost;
                if (cost < best) {
                    best = cost;
                    *col_vars = b;
                    *rate_bits = r;
                }
            }
        }
    }
}

/* Levels of p from the tail chosen for its message on. */
static void set_levels(pcs_params *p, const query_table *q, tail first, const tail *shorter) {
    unsigned vars = p->message_vars;
    p->n_levels = first.levels;
    p->query_pow_bits = q->pow_bits;
    p->digest_bytes = q->digest_bytes;
    for (unsigned l = 0; l < p->n_levels; l++) {
        const unsigned b = vars - first.row_vars;
        p->level[l] = (pcs_level){first.row_vars, b, first.rate_bits, q->queries[first.rate_bits]};
        vars = b;
        first = shorter[b];
    }
    p->final_vars = vars;
    for (unsigned g = 0; g < p->n_groups; g++)
        p->group_queries[g] = q->queries[p->group[g].rate_bits];
}

/* The cheapest difficulty and levels for the groups of p. Returns the cost. */
static uint64_t search_levels(pcs_params *p, unsigned security_bits) {
    const unsigned max_code = longest_code(security_bits);
    uint64_t best = INFEASIBLE;
    for (unsigned pow_bits = POW_MIN; pow_bits <= POW_MAX; pow_bits++) {
        query_table q;
        tail shorter[MAX_MESSAGE_VARS + 1];
        table_fill(&q, security_bits, pow_bits);
        fill_tails(&q, max_code, p->message_vars, shorter);
        const tail first = best_tail(&q, p->message_vars, pcs_message_size(p), max_code, shorter);
        uint64_t cost = first.cost + pow_cost(pow_bits);
        for (unsigned g = 0; g < p->n_groups; g++) {
            const pcs_shape *s = &p->group[g];
            cost += group_cost(&q, s->n_present, s->col_vars, s->rate_bits, s->digest_bytes);
        }
        if (cost < best) {
            best = cost;
            set_levels(p, &q, first, shorter);
        }
    }
    return best;
}

static bool groups_usable(const pcs_shape *group, unsigned n_groups) {
    if (n_groups < 1 || n_groups > PCS_MAX_GROUPS)
        return false;
    for (unsigned g = 0; g < n_groups; g++) {
        const pcs_shape *s = &group[g];
        if (s->rate_bits < 1 || s->rate_bits > PCS_MAX_RATE_BITS || s->col_vars > MAX_CODE ||
            s->col_vars + s->rate_bits > MAX_CODE || s->row_vars > PCS_MAX_ROW_BITS || s->n_present < 1)
            return false;
    }
    return true;
}

bool pcs_params_choose(pcs_params *p, const pcs_shape *group, unsigned n_groups, unsigned security_bits,
                       mica_status *st) {
    const bits16 target = (bits16)security_bits << 16;
    memset(p, 0, sizeof *p);
    if (!groups_usable(group, n_groups))
        return mica_fail(st, MICA_ERR_INTERNAL, "commitment groups have an impossible shape");
    if (security_bits < 1 || security_bits > 128)
        return mica_fail(st, MICA_ERR_LIMIT, "a security target of %u bits is not supported", security_bits);
    uint64_t codewords = 0;
    p->n_groups = n_groups;
    for (unsigned g = 0; g < n_groups; g++) {
        p->group[g] = group[g];
        codewords += (1ull << (group[g].col_vars + group[g].rate_bits)) + 2;
    }
    if (soundness_fold(codewords) < target)
        return mica_fail(st, MICA_ERR_LIMIT,
                         "committed rows are too long for %u proven bits: their codewords have %llu points",
                         security_bits, (unsigned long long)codewords);
    pcs_stack_groups(p);
    if (p->message_vars > MAX_MESSAGE_VARS || search_levels(p, security_bits) >= INFEASIBLE)
        return mica_fail(st, MICA_ERR_LIMIT, "no opening of a message of 2^%u elements meets %u bits",
                         p->message_vars, security_bits);
    if (!pcs_params_wellformed(p))
        return mica_fail(st, MICA_ERR_INTERNAL, "chosen opening parameters are inconsistent");
    soundness_budget budget = {.n = 0};
    pcs_budget(p, 1, &budget);
    if (soundness_min(&budget) < target)
        return mica_fail(st, MICA_ERR_LIMIT, "the opening cannot meet %u proven bits", security_bits);
    return true;
}

/* One line per random challenge and codeword, in the order of the schedule. */
void pcs_budget(const pcs_params *p, unsigned n_claims, soundness_budget *budget) {
    uint64_t codewords = 0;
    for (unsigned g = 0; g < p->n_groups; g++)
        codewords += (1ull << (p->group[g].col_vars + p->group[g].rate_bits)) + 2;
    soundness_add(budget, soundness_digest(p->digest_bytes), "opening: collisions of digests of %u bytes",
                  p->digest_bytes);
    soundness_add(budget, soundness_over_field(n_claims), "opening: combination of %u claims", n_claims);
    soundness_add(budget, soundness_fold(codewords), "opening: fold of the groups, with its round");
    for (unsigned step = 0; step <= p->n_levels; step++) {
        pcs_source source[PCS_MAX_GROUPS];
        const unsigned n = pcs_step_sources(p, step, source);
        uint64_t combined = 1;
        for (unsigned i = 0; i < n; i++) {
            const pcs_source *s = &source[i];
            const bits16 bits = soundness_query(s->rate_bits, s->queries, p->query_pow_bits);
            combined += s->queries;
            if (step == 0 && i > 0 && source[i - 1].rate_bits == s->rate_bits)
                continue; /* the line of the group before: as many queries at the same rate */
            if (step == 0)
                soundness_add(budget, bits, "opening: groups from %u on, %u queries at rate 1/%u", i,
                              s->queries, 1u << s->rate_bits);
            else
                soundness_add(budget, bits, "opening: level %u, %u queries at rate 1/%u", step, s->queries,
                              1u << s->rate_bits);
        }
        if (step == p->n_levels)
            break;
        const pcs_level *level = &p->level[step];
        soundness_add(budget, soundness_over_field(combined), "opening: level %u, combination of queries",
                      step + 1);
        soundness_add(budget, soundness_fold((1ull << (level->col_vars + level->rate_bits)) + 2),
                      "opening: level %u, fold of 2^%u points, with its round", step + 1,
                      level->col_vars + level->rate_bits);
    }
}
