/** What task generators and analyses need of a model, until they take the model's own type. */

/** Any hookable model. */
export interface ModelLike {
  hookNames(): Iterable<string>;
}
