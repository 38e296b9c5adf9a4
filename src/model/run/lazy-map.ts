/** A read-only map of known keys; each value is made once, when it is first asked for, and kept. */
export class LazyMap<K, V> implements ReadonlyMap<K, V> {
  readonly #keys: ReadonlySet<K>;
  readonly #make: (key: K) => V;
  readonly #made = new Map<K, V>();

  constructor(keys: Iterable<K>, make: (key: K) => V) {
    this.#keys = new Set(keys);
    this.#make = make;
  }

  /** Keys known, made or not. */
  get size(): number {
    return this.#keys.size;
  }

  /** Tells whether a key is known; makes nothing. */
  has(key: K): boolean {
    return this.#keys.has(key);
  }

  /** Returns the value of a key, made now if it has not been asked for before; `undefined` for an unknown key. */
  get(key: K): V | undefined {
    return this.#keys.has(key) ? this.#read(key) : undefined;
  }

  /** Iterates over the keys; makes nothing. */
  keys(): MapIterator<K> {
    return this.#keys.keys();
  }

  /** Iterates over the values, making each as it is reached. */
  *values(): MapIterator<V> {
    for (const key of this.#keys) yield this.#read(key);
  }

  /** Iterates over keys with their values, making each as it is reached. */
  *entries(): MapIterator<[K, V]> {
    for (const key of this.#keys) yield [key, this.#read(key)];
  }

  /** Same as {@link LazyMap.entries}. */
  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  /** Calls `use` for every key with its value. */
  forEach(use: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const key of this.#keys) use(this.#read(key), key, this);
  }

  #read(key: K): V {
    if (!this.#made.has(key)) this.#made.set(key, this.#make(key));
    return this.#made.get(key) as V;
  }
}
