/*
 * The selective scan in plain C, as an opponent for the library's kernels: one thread, forward and backward.
 *
 *   gcc -O3 selective-scan.c -o selective-scan -lm && ./selective-scan T D N repeats
 *
 * h_t = e^(delta_t A) h_{t-1} + delta_t u_t B_t and y_t = C_t . h_t for B = 1, G = 1; u, delta, y [T,D], A [D,N],
 * B, C [T,N]. Channels lie in the vector lanes (4 with SSE2, 8 with AVX, 16 with AVX-512), a block of 64 channels
 * keeps its states in the nearest cache, and exp is a polynomial of degree five (about 2 ulp). The backward pass
 * makes the states of 16 steps at a time again from stored ones. Every run checks its results with loops in
 * double precision and prints one line of JSON: median milliseconds of the forward pass alone and of forward (which
 * then stores states) and backward together, and the relative RMS errors; it ends with 1 if these are too large.
 * -march=native takes the widest vectors of the processor; without it gcc uses SSE2, four lanes as WASM has.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#define MAXIMUM _mm512_max_ps
#define MINIMUM _mm512_min_ps
#elif defined(__AVX__)
#define LANES 8
#define MAXIMUM _mm256_max_ps
#define MINIMUM _mm256_min_ps
#elif defined(__SSE2__)
#define LANES 4
#define MAXIMUM _mm_max_ps
#define MINIMUM _mm_min_ps
#else
#define LANES 4
#define MAXIMUM(x, y) ((vec)(((ivec)(x) & ((x) > (y))) | ((ivec)(y) & ~((x) > (y)))))
#define MINIMUM(x, y) ((vec)(((ivec)(x) & ((x) < (y))) | ((ivec)(y) & ~((x) < (y)))))
#endif

#define WIDTH 64
#define PARTS (WIDTH / LANES)
#define CHUNK 16
#define MAX_STATES 256

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4)));

static inline vec splat(float x) { return x - (vec){0}; }
static inline vec load(const float *p) { return *(const loose *)p; }
static inline void store(float *p, vec v) { *(loose *)p = v; }

/* 2^x: nearest integer by the constant 1.5 2^23, polynomial in the rest, exponent from bits; 0 below -125.5. */
static inline vec exp2v(vec x) {
  x = MINIMUM(MAXIMUM(x, splat(-126)), splat(127));
  vec t = x + 12582912.0f;
  vec r = x - (t - 12582912.0f);
  vec p = 0.002652945462614298f * r + 0.019343025982379913f;
  p = p * r + 0.11101467162370682f;
  p = p * r + 0.48044484853744507f;
  p = p * r + 1.3862940073013306f;
  p = p * r + 2.0f;
  return p * (vec)(((ivec)t << 23) + 0x3f000000);
}

typedef struct {
  int T, D, N;
  float *u, *delta, *A, *B, *C, *y, *kept, *dy, *du, *ddelta, *dA, *dB, *dC;
} Scan;

/* A of a block as [part][n][lane], times log2(e). */
static void gather(const Scan *s, int d0, vec *a) {
  for (int q = 0; q < PARTS; q++)
    for (int n = 0; n < s->N; n++)
      for (int l = 0; l < LANES; l++)
        a[q * s->N + n][l] = s->A[(size_t)(d0 + q * LANES + l) * s->N + n] * 1.44269504f;
}

static void forward(const Scan *s, int keep) {
  static vec a[PARTS * MAX_STATES], h[PARTS * MAX_STATES];
  const int N = s->N;
  const size_t block = sizeof(vec) * PARTS * N;
  for (int d0 = 0; d0 < s->D; d0 += WIDTH) {
    gather(s, d0, a);
    memset(h, 0, block);
    char *kept = (char *)s->kept + (size_t)(d0 / WIDTH) * (s->T / CHUNK) * block;
    for (int t = 0; t < s->T; t++) {
      if (keep && t % CHUNK == 0) memcpy(kept + (size_t)(t / CHUNK) * block, h, block);
      const float *b = s->B + (size_t)t * N, *c = s->C + (size_t)t * N;
      for (int q = 0; q < PARTS; q++) {
        const size_t at = (size_t)t * s->D + d0 + q * LANES;
        const vec dt = load(s->delta + at), du = dt * load(s->u + at);
        const vec *rate = a + q * N;
        vec *state = h + q * N, y = {0};
        for (int n = 0; n < N; n++) {
          const vec next = exp2v(dt * rate[n]) * state[n] + du * b[n];
          state[n] = next;
          y += c[n] * next;
        }
        store(s->y + at, y);
      }
    }
  }
}

static float sum(vec v) {
  float total = 0;
  for (int l = 0; l < LANES; l++) total += v[l];
  return total;
}

/* Chunks of 16 steps from the last to the first; needs the states kept by forward. */
static void backward(const Scan *s) {
  static vec a[PARTS * MAX_STATES], g[PARTS * MAX_STATES], dA[PARTS * MAX_STATES];
  static vec p[(CHUNK + 1) * MAX_STATES], e[CHUNK * MAX_STATES], dB[CHUNK * MAX_STATES], dC[CHUNK * MAX_STATES];
  const int N = s->N, D = s->D;
  const size_t block = sizeof(vec) * PARTS * N;
  memset(s->dB, 0, sizeof(float) * s->T * N);
  memset(s->dC, 0, sizeof(float) * s->T * N);
  for (int d0 = 0; d0 < D; d0 += WIDTH) {
    gather(s, d0, a);
    memset(g, 0, block);
    memset(dA, 0, block);
    const char *kept = (const char *)s->kept + (size_t)(d0 / WIDTH) * (s->T / CHUNK) * block;
    for (int from = s->T - CHUNK; from >= 0; from -= CHUNK) {
      memset(dB, 0, sizeof(vec) * CHUNK * N);
      memset(dC, 0, sizeof(vec) * CHUNK * N);
      for (int q = 0; q < PARTS; q++) {
        memcpy(p, kept + (size_t)(from / CHUNK) * block + sizeof(vec) * q * N, sizeof(vec) * N);
        for (int i = 0; i < CHUNK; i++) {
          const size_t at = (size_t)(from + i) * D + d0 + q * LANES;
          const vec dt = load(s->delta + at), du = dt * load(s->u + at);
          const float *b = s->B + (size_t)(from + i) * N;
          for (int n = 0; n < N; n++) {
            e[i * N + n] = exp2v(dt * a[q * N + n]);
            p[(i + 1) * N + n] = e[i * N + n] * p[i * N + n] + du * b[n];
          }
        }
        for (int i = CHUNK - 1; i >= 0; i--) {
          const size_t at = (size_t)(from + i) * D + d0 + q * LANES;
          const vec dt = load(s->delta + at), u = load(s->u + at), gy = load(s->dy + at), du = dt * u;
          const float *b = s->B + (size_t)(from + i) * N, *c = s->C + (size_t)(from + i) * N;
          vec sb = {0}, sa = {0};
          for (int n = 0; n < N; n++) {
            const vec G = gy * c[n] + g[q * N + n];
            dC[i * N + n] += gy * p[(i + 1) * N + n];
            dB[i * N + n] += G * du;
            sb += G * b[n];
            const vec back = G * e[i * N + n], w = back * p[i * N + n];
            g[q * N + n] = back;
            sa += w * a[q * N + n];
            dA[q * N + n] += w * dt;
          }
          store(s->du + at, dt * sb);
          store(s->ddelta + at, u * sb + sa * 0.693147181f);
        }
      }
      for (int i = 0; i < CHUNK * N; i++) {
        s->dB[(size_t)from * N + i] += sum(dB[i]);
        s->dC[(size_t)from * N + i] += sum(dC[i]);
      }
    }
    for (int q = 0; q < PARTS; q++)
      for (int n = 0; n < N; n++)
        for (int l = 0; l < LANES; l++) s->dA[(size_t)(d0 + q * LANES + l) * N + n] = dA[q * N + n][l];
  }
}

typedef struct {
  double error, power;
} Measure;

static void measure(Measure *m, double got, double want) {
  m->error += (got - want) * (got - want);
  m->power += want * want;
}

static double relative(Measure m) { return sqrt(m.error / m.power); }

/* Adds sum a b and sum c d as one comparison; its measure is the length of the products. */
static void measure_dots(Measure *m, const float *a, const float *b, size_t n, const float *c, const float *d, size_t k) {
  double one = 0, two = 0;
  for (size_t i = 0; i < n; i++) one += (double)a[i] * b[i], m->power += (double)a[i] * b[i] * a[i] * b[i];
  for (size_t i = 0; i < k; i++) two += (double)c[i] * d[i];
  m->error += (one - two) * (one - two);
}

/*
 * The definition in double precision, with libm's exp, for the first channel of every block: y and the gradients of u,
 * delta and A. Those of B and C add up channels, and are held to what linearity in them asks: dB . B = du . u and
 * dC . C = dy . y.
 */
static void check(const Scan *s, double *y_error, double *gradient_error) {
  Measure my = {0}, mg = {0};
  const int N = s->N;
  const size_t line = (size_t)s->T * s->D, small = (size_t)s->T * N;
  double *h = calloc(small + N, sizeof(double)), *g = calloc(N, sizeof(double)), *dA = calloc(N, sizeof(double));
  measure_dots(&mg, s->dB, s->B, small, s->du, s->u, line);
  measure_dots(&mg, s->dC, s->C, small, s->dy, s->y, line);
  for (int d = 0; d < s->D; d += WIDTH) {
    memset(g, 0, sizeof(double) * N);
    memset(dA, 0, sizeof(double) * N);
    for (int t = 0; t < s->T; t++) {
      const double dt = s->delta[(size_t)t * s->D + d], u = s->u[(size_t)t * s->D + d];
      double y = 0;
      for (int n = 0; n < N; n++) {
        double *now = h + (size_t)(t + 1) * N + n;
        *now = exp(dt * s->A[(size_t)d * N + n]) * now[-N] + dt * u * s->B[(size_t)t * N + n];
        y += s->C[(size_t)t * N + n] * *now;
      }
      measure(&my, s->y[(size_t)t * s->D + d], y);
    }
    for (int t = s->T - 1; t >= 0; t--) {
      const size_t at = (size_t)t * s->D + d;
      double sb = 0, sa = 0;
      for (int n = 0; n < N; n++) {
        const double rate = s->A[(size_t)d * N + n], G = s->dy[at] * s->C[(size_t)t * N + n] + g[n];
        sb += G * s->B[(size_t)t * N + n];
        g[n] = G * exp(s->delta[at] * rate);
        sa += g[n] * h[(size_t)t * N + n] * rate;
        dA[n] += g[n] * h[(size_t)t * N + n] * s->delta[at];
      }
      measure(&mg, s->du[at], s->delta[at] * sb);
      measure(&mg, s->ddelta[at], s->u[at] * sb + sa);
    }
    for (int n = 0; n < N; n++) measure(&mg, s->dA[(size_t)d * N + n], dA[n]);
  }
  free(h);
  free(g);
  free(dA);
  *y_error = relative(my);
  *gradient_error = relative(mg);
}

static float *floats(size_t count) {
  float *p = aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
  if (!p) {
    fprintf(stderr, "selective-scan: memory must suffice for %zu floats\n", count);
    exit(1);
  }
  memset(p, 0, count * sizeof(float));
  return p;
}

static float *drawn(size_t count, float low, float high) {
  static uint32_t state = 12345;
  float *p = floats(count);
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    p[i] = low + (high - low) * (float)(state >> 8) / 16777216.0f;
  }
  return p;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, count, sizeof(double), ascending);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv) {
  Scan s = {0};
  s.T = argc > 1 ? atoi(argv[1]) : 2048;
  s.D = argc > 2 ? atoi(argv[2]) : 1536;
  s.N = argc > 3 ? atoi(argv[3]) : 16;
  const int repeats = argc > 4 ? atoi(argv[4]) : 7;
  if (argc > 5 || s.T < CHUNK || s.T % CHUNK || s.D < WIDTH || s.D % WIDTH || s.N < 1 || s.N > MAX_STATES || repeats < 1) {
    fprintf(stderr, "usage: selective-scan T (multiple of %d) D (multiple of %d) N (1 to %d) repeats\n", CHUNK, WIDTH, MAX_STATES);
    return 2;
  }
  const size_t line = (size_t)s.T * s.D, small = (size_t)s.T * s.N, rates = (size_t)s.D * s.N;
  s.u = drawn(line, -1, 1), s.delta = drawn(line, 0.001f, 0.1f), s.A = drawn(rates, -16, -1);
  s.B = drawn(small, -1, 1), s.C = drawn(small, -1, 1), s.dy = drawn(line, -1, 1);
  s.y = floats(line), s.du = floats(line), s.ddelta = floats(line), s.kept = floats(line / CHUNK * s.N);
  s.dA = floats(rates), s.dB = floats(small), s.dC = floats(small);
  double *alone = calloc(repeats, sizeof(double)), *both = calloc(repeats, sizeof(double));
  forward(&s, 1);
  backward(&s);
  for (int i = 0; i < repeats; i++) {
    const double t0 = now();
    forward(&s, 0);
    const double t1 = now();
    forward(&s, 1);
    backward(&s);
    alone[i] = t1 - t0;
    both[i] = now() - t1;
  }
  double y_error, gradient_error;
  check(&s, &y_error, &gradient_error);
  printf("{\"T\":%d,\"D\":%d,\"N\":%d,\"lanes\":%d,\"repeats\":%d,\"forward_ms\":%.4f,\"forward_backward_ms\":%.4f,"
         "\"error\":%.3g,\"gradient_error\":%.3g}\n",
         s.T, s.D, s.N, LANES, repeats, median(alone, repeats), median(both, repeats), y_error, gradient_error);
  return y_error < 5e-6 && gradient_error < 2e-5 ? 0 : 1;
}
