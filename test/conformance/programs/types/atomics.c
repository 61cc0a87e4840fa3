#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
static atomic_int n; static _Atomic long long w; static atomic_flag lock = ATOMIC_FLAG_INIT; static int guarded; static _Atomic unsigned char b;
static void *work(void *p) { for (int i = 0; i < 1000; i++) { n++; atomic_fetch_add_explicit(&w, 3, memory_order_relaxed); b ^= 1; while (atomic_flag_test_and_set(&lock)) ; guarded++; atomic_flag_clear(&lock); } return 0; }
int main(void) { pthread_t t[4]; for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, work, 0); for (int i = 0; i < 4; i++) pthread_join(t[i], 0); int e = 5; printf("%d %lld %d %d %d\n", n, w, guarded, b, atomic_compare_exchange_strong(&n, &e, 9)); return e == 4000 ? 0 : 1; }
