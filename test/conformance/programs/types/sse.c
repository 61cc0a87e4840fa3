#include <emmintrin.h>
#include <stdio.h>
#include <string.h>
static int find(const char *text, char c) { __m128i v = _mm_loadu_si128((const __m128i *)text), k = _mm_set1_epi8(c); int m = _mm_movemask_epi8(_mm_cmpeq_epi8(v, k)); return m ? __builtin_ctz(m) : -1; }
static double dot(const double *a, const double *b, int n) { __m128d s = _mm_setzero_pd(); for (int i = 0; i < n; i += 2) s = _mm_add_pd(s, _mm_mul_pd(_mm_loadu_pd(a + i), _mm_loadu_pd(b + i))); double r[2]; _mm_storeu_pd(r, s); return r[0] + r[1]; }
int main(void) { char text[16] = "find the letter"; double a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}; printf("%d %d %g\n", find(text, 't'), find(text, 'q'), dot(a, b, 4)); return 0; }
