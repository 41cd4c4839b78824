// Points of a map on a canvas: as pictures where there is room, as dots where there is not.

const LEAST = 26; // pixels of a picture's side
const LARGEST = 132;
const ROOM = 1.06; // side of a cell, in pictures

/** The cell of a place, then those it is next to: the nearer the earlier. */
function around(u, v) {
  const [column, row] = [Math.floor(u), Math.floor(v)];
  const dx = u - column < 0.5 ? -1 : 1;
  const dy = v - row < 0.5 ? -1 : 1;
  return [[column, row], [column + dx, row], [column, row + dy], [column + dx, row + dy]];
}

export class Plane {
  constructor(canvas, pictures) {
    Object.assign(this, { canvas, pictures });
    this.context = canvas.getContext("2d");
    this.view = { x: 0.5, y: 0.5, scale: 600 }; // centre; pixels of the map's whole side
    this.points = new Map(); // id -> [id, x, y]; those that came first have the first claim on room
    this.shown = [];
    this.marked = new Set();
    this.sides = [96];
    this.release = null; // that the points are of
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    Object.assign(this, { width, height, ratio });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
  }

  toScreen(x, y) {
    return [(x - this.view.x) * this.view.scale + this.width / 2, (y - this.view.y) * this.view.scale + this.height / 2];
  }

  toMap(px, py) {
    return [(px - this.width / 2) / this.view.scale + this.view.x, (py - this.height / 2) / this.view.scale + this.view.y];
  }

  /** What is in sight, with half a screen around it: [left, top, right, bottom] on the map. */
  box() {
    const [left, top] = this.toMap(-this.width / 4, -this.height / 4);
    const [right, bottom] = this.toMap(this.width * 1.25, this.height * 1.25);
    return [left, top, right, bottom].map((value) => Math.min(1, Math.max(0, value)));
  }

  /** The side of pictures at this zoom: as large as the points in sight leave room for, in steps, so that little changes. */
  side(count) {
    const room = Math.sqrt((this.width * this.height) / Math.max(1, count)) * 1.25;
    const wanted = Math.min(LARGEST, Math.max(LEAST, room));
    return Math.min(LARGEST, LEAST * 2 ** (Math.round(2 * Math.log2(wanted / LEAST)) / 2));
  }

  draw() {
    const { context, width, height, ratio } = this;
    if (!width) return;
    const style = getComputedStyle(this.canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const near = [...this.points.values()]
      .map(([id, x, y]) => [id, ...this.toScreen(x, y)])
      .filter(([, px, py]) => px > -LARGEST && py > -LARGEST && px < width + LARGEST && py < height + LARGEST);
    const size = this.side(near.length);
    this.settle(near, size * ROOM, style.color);
    this.pictures.restart();
    const side = this.sides.find((value) => value >= size * ratio * 0.8) ?? this.sides.at(-1);
    this.size = size;
    for (const [id, px, py] of this.shown) this.picture(id, px, py, size, side, style);
    this.pictures.pump();
    if (this.hovered) this.frame(this.shown.find(([id]) => id === this.hovered[0]) ?? this.hovered, size, style.caretColor, 2.5);
  }

  /** Each picture takes the free cell nearest to its place; where none is near, it is a dot.
   *  Cells lie on the map, not on the screen, so that moving changes nothing. */
  settle(near, cell, colour) {
    const [ox, oy] = this.toScreen(0, 0);
    const taken = new Set();
    this.shown = [];
    this.context.fillStyle = colour;
    for (const [id, px, py] of near) {
      const [u, v] = [(px - ox) / cell, (py - oy) / cell];
      const free = around(u, v).find(([column, row]) => !taken.has(`${column},${row}`));
      if (!free) this.context.fillRect(px - 1.25, py - 1.25, 2.5, 2.5);
      else {
        taken.add(`${free[0]},${free[1]}`);
        this.shown.push([id, ox + (free[0] + 0.5) * cell, oy + (free[1] + 0.5) * cell]);
      }
    }
  }

  picture(id, px, py, size, side, style) {
    const { context } = this;
    const image = this.pictures.get(id, side, this.sides, this.release);
    if (!image) {
      context.fillStyle = style.textDecorationColor;
      context.fillRect(px - size / 2, py - size / 2, size, size);
      return;
    }
    const fit = size / Math.max(image.naturalWidth, image.naturalHeight);
    const [w, h] = [image.naturalWidth * fit, image.naturalHeight * fit];
    context.drawImage(image, px - w / 2, py - h / 2, w, h);
    if (this.marked.has(id)) this.frame([id, px, py], size, style.caretColor, 3);
  }

  frame([, px, py], size, colour, width) {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.strokeRect(px - size / 2 - 1, py - size / 2 - 1, size + 2, size + 2);
  }

  /** The picture drawn at a place of the canvas, or the nearest one where `near`. */
  at(px, py, near = false) {
    let best = null;
    let least = Infinity;
    for (const shown of this.shown) {
      const away = Math.max(Math.abs(shown[1] - px), Math.abs(shown[2] - py));
      if (away < least && (near || away <= this.size / 2)) [best, least] = [shown, away];
    }
    return best;
  }
}
