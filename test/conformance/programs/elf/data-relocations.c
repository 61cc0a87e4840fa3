#include <stdio.h>
struct node { const char *name; struct node *next; int *counter; int (*run)(int); };
static int counters[3]; static int inc(int i) { return ++counters[i]; }
extern struct node a, b; struct node a = {"a", &b, &counters[1], inc}, b = {"b", &a, &counters[2], inc};
static char *const middle = (char *)&counters[1] + 2;
int main(void) { for (int i = 0; i < 4; i++) { struct node *n = i % 2 ? &b : &a; n->run((int)(n->counter - counters)); printf("%s %s %d\n", n->name, n->next->name, *n->counter); } return (int)(middle - (char *)counters); }
