#!/usr/bin/env python3
"""Codewords of the line code by its definition alone (runtime/code/line_code.h), with no transform:

  Enc(v)[j] = sum_i v_i prod_l T_{2^l}(x_j)^{i_l},  x_j = x-coordinate of Q^{1+4j}, Q a circle point of order 2^{b+r+2}.

Usage: make_line_code_vectors.py > line_code_vectors.h
"""

P = 2**31 - 1
SHAPES = [(0, 1), (1, 0), (1, 1), (2, 1), (3, 2), (4, 1), (5, 3), (6, 0), (7, 1), (2, 6), (1, 7)]


def times(p, q):
    """The group law: complex multiplication of points with x^2 + y^2 = 1."""
    return (p[0] * q[0] - p[1] * q[1]) % P, (p[0] * q[1] + p[1] * q[0]) % P


def power(p, e):
    result = (1, 0)
    for bit in bin(e)[2:]:
        result = times(result, result)
        if bit == "1":
            result = times(result, p)
    return result


def point_of_order(log):
    """The generator (2, 1268011823) has order 2^31."""
    return power((2, 1268011823), 2 ** (31 - log))


def domain(k):
    q = point_of_order(k + 2)
    return [power(q, 1 + 4 * j)[0] for j in range(2**k)]


def chebyshev(n, x):
    """T_n(x) by the three-term recurrence."""
    a, b = 1, x
    for _ in range(n):
        a, b = b, (2 * x * b - a) % P
    return a


def basis(i, b, x):
    value = 1
    for level in range(b):
        if i >> level & 1:
            value = value * chebyshev(2**level, x) % P
    return value


def encode(v, b, r):
    return [sum(c * basis(i, b, x) for i, c in enumerate(v)) % P for x in domain(b + r)]


def message(b, r):
    """Spread over the field, with the extreme values in front."""
    state, v = 1000 * b + r, []
    for i in range(2**b):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        v.append([P - 1, 0, 1][i] if i < 3 and b > 1 else (state >> 20) % P)
    return v


def rows(values):
    lines = [values[i : i + 8] for i in range(0, len(values), 8)]
    return ",\n".join("    " + ", ".join(str(x) for x in line) for line in lines)


def main():
    print("/* Written by make_line_code_vectors.py; do not edit. */")
    print("#ifndef MICA_TESTS_LINE_CODE_VECTORS_H\n#define MICA_TESTS_LINE_CODE_VECTORS_H\n")
    print("#include <stdint.h>\n")
    print("typedef struct line_code_vector {\n    unsigned b, r;")
    print("    const uint32_t *message, *codeword; /* 2^b and 2^(b+r) values */\n} line_code_vector;\n")
    for b, r in SHAPES:
        v = message(b, r)
        print(f"static const uint32_t message_{b}_{r}[] = {{\n{rows(v)}}};")
        print(f"static const uint32_t codeword_{b}_{r}[] = {{\n{rows(encode(v, b, r))}}};")
    print("\nstatic const line_code_vector line_code_vectors[] = {")
    for b, r in SHAPES:
        print(f"    {{{b}, {r}, message_{b}_{r}, codeword_{b}_{r}}},")
    print("};\n\n#endif")


if __name__ == "__main__":
    main()
