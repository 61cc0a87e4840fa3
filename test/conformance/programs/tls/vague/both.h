int made(int n);
inline thread_local int level = 1;
inline thread_local int computed = made(10);
template <class T> struct Each { static thread_local int count; };
template <class T> thread_local int Each<T>::count = 5;
inline int &once() { static thread_local int value = made(100); return value; }
extern thread_local int weak __attribute__((weak));
thread_local int weak = 7;
