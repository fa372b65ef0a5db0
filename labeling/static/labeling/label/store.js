// What must outlive this page: answers on their way and drafts, in the browser's database.

/** @typedef {"outbox"|"drafts"} Shelf */

const VERSION = 1;
const OPENS_WITHIN = 3000;

/** Throws when the browser keeps nothing, as some do in private windows. @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("loupe", VERSION);
    setTimeout(() => reject(new Error("The browser's database does not answer.")), OPENS_WITHIN);
    request.onupgradeneeded = () => {
      for (const shelf of ["outbox", "drafts"]) request.result.createObjectStore(shelf, { keyPath: ["owner", "page"] });
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBRequest|IDBTransaction} work @returns {Promise<any>} its result */
function finished(work) {
  return new Promise((resolve, reject) => {
    if (work instanceof IDBTransaction) work.oncomplete = () => resolve(undefined);
    else work.onsuccess = () => resolve(work.result);
    work.onerror = work instanceof IDBTransaction ? null : () => reject(work.error);
    if (work instanceof IDBTransaction) work.onabort = () => reject(work.error);
  });
}

/** Rows of one person in one project. They have a `page`, which tells them apart. */
export class Store {
  /** @param {string} owner */
  constructor(owner) {
    this.owner = owner;
    this.opening = open();
    this.opening.catch(() => {}); // said by whoever first needs it
  }

  /** Resolves once it would survive a crash of the browser. @param {Shelf} shelf @param {{page: number}} row */
  async put(shelf, row) {
    const work = (await this.opening).transaction(shelf, "readwrite", { durability: "strict" });
    work.objectStore(shelf).put({ owner: this.owner, ...row });
    work.commit();
    return finished(work);
  }

  /** @param {Shelf} shelf @param {number} page */
  async remove(shelf, page) {
    const work = (await this.opening).transaction(shelf, "readwrite");
    work.objectStore(shelf).delete([this.owner, page]);
    return finished(work);
  }

  /** @param {Shelf} shelf @returns {Promise<any[]>} */
  async all(shelf) {
    const work = (await this.opening).transaction(shelf);
    return finished(work.objectStore(shelf).getAll(IDBKeyRange.bound([this.owner], [this.owner, []])));
  }
}
