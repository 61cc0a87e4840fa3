/** How a compiler speaks `wss://`. Texts are PEM. */
export interface ClientTls {
  /** The CA that has signed the executor's certificate; without it those that Node trusts. */
  readonly ca?: string;
  /** The certificate that says who this compiler is, for executors that want one. */
  readonly cert?: string;
  readonly key?: string;
}
