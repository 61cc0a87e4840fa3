// All of the compiler's library, under the name that one installs.
export * from '@farjit/compiler';
