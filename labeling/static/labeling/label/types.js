// What the parts of the Label page say to each other.

/**
 * @typedef {{id: number, name: string, color: string, hotkey: string, description: string, striped: boolean,
 *   parent: number|null}} LabelClass
 * @typedef {{class: number|null, confidence?: number, bbox?: number[], polygon?: number[][], origin?: string}} Region
 * @typedef {{regions: Region[], confidence: number|null, model: number|null, doubtful?: number[]}} Suggestion
 * @typedef {{center: number, width: number, low: number, high: number}} Window the values of a DICOM image that are shown
 * @typedef {{id: number, file_name: string, width: number|null, height: number|null, window?: Window|null, image: string,
 *   thumbnail: string, suggestion: Suggestion|null, why: string}} Item
 * @typedef {{regions: Region[], skipped?: boolean, skip_reason?: string}} Given what was answered for an item
 * @typedef {{page: number, kind: "manual"|"clustered"|"prelabeled", why: string, lease_expires_at: string,
 *   proposed_class: number|null, start_selected: boolean, items: Item[], submitted_at?: string|null,
 *   answers?: Record<string, Given>}} Page
 * @typedef {{item: number, uuid: string, regions: Region[], seconds?: number, skipped?: boolean,
 *   skip_reason?: string, exception?: boolean}} Answer
 *
 * A proposed object to check; `within`: its place in the picture, as shares of that.
 * @typedef {{id: number, item: number, bbox: number[], within: number[], image: string, confidence: number}} Crop
 * @typedef {{page: number, class: number, lease_expires_at: string, crops: Crop[]}} CropPage
 *
 * @typedef {{tone: "good"|"warn"|"bad", text: string, actions: [string, string][]}} Notice
 *
 * What every surface and the page around it see. Only flow.js changes it.
 * @typedef {{page: Page|null, correcting: boolean, previous: Page|null, doneToday: number, size: number,
 *   saving: "saved"|"saving"|"offline"|"unkept", notice: Notice|null, said: string, waiting: boolean, nothing: boolean}} Shared
 *
 * @typedef {{project: number, user: number, api: string, signIn: string, task: string, classes: LabelClass[], size: number,
 *   doneToday: number, instructions: {version: number, text: string}|null, keys: Record<string, string[]>,
 *   singleKeys: boolean, keysUrl: string, language: string, checks?: number}} Config
 *
 * What a surface may ask of the page.
 * @typedef {{changed: () => void, say: (text: string) => void, submit: () => void, skip: () => void, undo: () => void,
 *   redo: () => void, setSize: (size: number) => boolean}} Host
 *
 * What draws one kind of work and takes its answers.
 * @typedef {{
 *   show: (page: Page, kept: object|null) => void, clear: () => void, content: () => object, isTouched: () => boolean,
 *   isReady: () => boolean, flaw: () => string, answers: () => Answer[], turn: (step: 1|-1) => boolean,
 *   undo: () => boolean, redo: () => boolean, skip: (reason: string) => boolean, images: (page: Page) => string[],
 *   submitText: () => string, bindings: () => Binding[], render: () => void}} Surface
 *
 * show: put a page on screen; `kept` is what content() gave, else page.answers may hold earlier answers. flaw: why it
 * cannot be submitted yet, pointing at the place; isReady tells the same without pointing. turn: where a page is shown
 * in parts, go to the next or the last part; false when there is none. skip: true when it skips the whole page.
 *
 * One shortcut. `keys` are the combinations that it begins with: modifiers in the order Ctrl (which is also Cmd), Alt,
 * Shift, then the key: letters in capitals, "Space", other characters as typed without Shift, else the name in
 * KeyboardEvent.key. `match` stands for whole groups of keys, which cannot be changed; the list has `shown` for them.
 * `release` runs when a held key goes up, `repeat` runs it again while it is held. Of several for one key, the first whose
 * `when` holds gets it.
 * @typedef {{id: string, group: "page"|"classes"|"tools"|"shapes"|"view"|"proposals", text: string, keys: string[],
 *   run: (event: KeyboardEvent) => void, release?: (event: KeyboardEvent) => void, repeat?: boolean,
 *   when?: () => boolean, match?: (event: KeyboardEvent) => boolean, shown?: string[]}} Binding
 */

export {};
