/** Something that waits until the test lets it go on. */
export function gate() {
  let arrive!: () => void;
  let open!: () => void;
  let fail!: (error: Error) => void;
  const reached = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const passed = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  const wait = () => {
    arrive();
    return passed;
  };
  return { wait, reached, open, fail };
}
