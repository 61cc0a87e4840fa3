// refused: MATERIALIZATION_FAILED|LINK_ERROR no definition of "nowhere"
int nowhere(void);
int main(void) { return nowhere(); }
