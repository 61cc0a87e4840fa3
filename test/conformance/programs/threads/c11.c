// flags: -std=c11
#include <stdio.h>
#include <threads.h>
static once_flag f = ONCE_FLAG_INIT; static mtx_t m; static tss_t key; static thread_local int mine; static int sum;
static void init(void) { mtx_init(&m, mtx_plain); } static void end(void *p) { mtx_lock(&m); sum += *(int *)p; mtx_unlock(&m); }
static int work(void *p) { call_once(&f, init); mine = (int)(long)p; static int v[4]; v[mine] = mine * 10; tss_set(key, &v[mine]); return mine + 1; }
int main(void) { thrd_t t[4]; int r, all = 0; tss_create(&key, end); for (long i = 0; i < 4; i++) thrd_create(&t[i], work, (void *)i); for (int i = 0; i < 4; i++) { thrd_join(t[i], &r); all += r; } printf("%d %d %d\n", all, sum, mine); return 0; }
