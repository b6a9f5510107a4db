/* What a core can do at best: the bounds that the bench holds revsim's kernels against.

A wire is `words` 64-bit words of a state, one behind the other. Vectors are the compiler's own, so
this is plain C for any machine; functions are timed by whoever calls them. */

#include <stdint.h>

typedef uint64_t vector __attribute__((vector_size(64), may_alias));
enum { VECTOR = 8 }; /* words of a vector */

typedef struct {
    uint32_t a, b, c;
} toffoli;

/* c ^= a & b for each gate of a list, read gate by gate: what an interpreter cannot do without. */
#define INTERPRET(NAME, TYPE, COUNT)                                                             \
    static void NAME(TYPE *state, const toffoli *gates, int64_t n)                               \
    {                                                                                            \
        for (int64_t g = 0; g < n; g++) {                                                        \
            const TYPE *a = state + (uint64_t)gates[g].a * COUNT;                                \
            const TYPE *b = state + (uint64_t)gates[g].b * COUNT;                                \
            TYPE *c = state + (uint64_t)gates[g].c * COUNT;                                      \
            _Pragma("GCC unroll 16") for (int k = 0; k < COUNT; k++) c[k] ^= a[k] & b[k];        \
        }                                                                                        \
    }
INTERPRET(interpret_1, uint64_t, 1)
INTERPRET(interpret_8, vector, 1)
INTERPRET(interpret_16, vector, 2)
INTERPRET(interpret_32, vector, 4)
INTERPRET(interpret_64, vector, 8)

/* Runs a list on a state of `words` words a wire; returns 0 where there is no such form. */
int interpret(uint64_t *state, const toffoli *gates, int64_t n, int words)
{
    switch (words) {
    case 1: interpret_1(state, gates, n); return 1;
    case 8: interpret_8((vector *)state, gates, n); return 1;
    case 16: interpret_16((vector *)state, gates, n); return 1;
    case 32: interpret_32((vector *)state, gates, n); return 1;
    case 64: interpret_64((vector *)state, gates, n); return 1;
    }
    return 0;
}

/* c ^= a & b over three arrays of `count` vectors, without a list of gates. */
void stream(vector *restrict a, vector *restrict b, vector *restrict c, int64_t count, int64_t turns)
{
    for (int64_t turn = 0; turn < turns; turn++) {
        for (int64_t i = 0; i < count; i += 4)
            for (int k = 0; k < 4; k++) c[i + k] ^= a[i + k] & b[i + k];
        __asm__ volatile("" ::: "memory");
    }
}

/* Loads alone: `count` vectors, XORed. */
uint64_t load_all(const vector *state, int64_t count, int64_t turns)
{
    vector seen[8] = {0};
    for (int64_t turn = 0; turn < turns; turn++) {
        for (int64_t i = 0; i < count; i += 8)
            for (int k = 0; k < 8; k++) seen[k] ^= state[i + k];
        __asm__ volatile("" ::: "memory");
    }
    vector all = seen[0];
    for (int k = 1; k < 8; k++) all ^= seen[k];
    return all[0] ^ all[1] ^ all[2] ^ all[3] ^ all[4] ^ all[5] ^ all[6] ^ all[7];
}

/* Stores alone: `count` vectors. */
void store_all(vector *state, int64_t count, int64_t turns)
{
    for (int64_t turn = 0; turn < turns; turn++) {
        vector value = {turn};
        for (int64_t i = 0; i < count; i += 8)
            for (int k = 0; k < 8; k++) state[i + k] = value;
        __asm__ volatile("" ::: "memory");
    }
}

/* Ones in `count` words. */
int64_t count_ones(const uint64_t *state, int64_t count, int64_t turns)
{
    int64_t total = 0;
    for (int64_t turn = 0; turn < turns; turn++) {
        for (int64_t i = 0; i < count; i++) total += __builtin_popcountll(state[i]);
        __asm__ volatile("" : "+r"(total)::"memory");
    }
    return total;
}

/* A chain of dependent multiplications: three cycles each on every wide core of today. */
uint64_t multiply(uint64_t x, int64_t count)
{
    for (int64_t i = 0; i < count; i += 8)
        for (int k = 0; k < 8; k++) {
            x *= x;
            __asm__ volatile("" : "+r"(x));
        }
    return x;
}
