/** Pixels: pictures as the graphs take them, (3, size, size) in [0, 1], stretched as deploy/onnx_media.py does. */

/**
 * Convert pixels (RGBA bytes, `width` by `height`) to planes of red, green and blue in [0, 1], bilinear, without a
 * filter; transparent ones are laid over white. `mirror` turns left and right round.
 */
export function fit(pixels, width, height, size, mirror = false) {
    const [across, down] = [places(width, size), places(height, size)];
    const wide = new Float32Array(3 * size * size);
    const half = halfway(pixels, width, height, size, down); // rows first, as the Python code does
    for (let channel = 0; channel < 3; channel += 1) {
        for (let row = 0; row < size; row += 1) {
            const from = (channel * size + row) * width;
            const to = (channel * size + row) * size;
            for (let column = 0; column < size; column += 1) {
                const { before, after, share } = across[column];
                const value = (1 - share) * half[from + before] + share * half[from + after];
                wide[to + (mirror ? size - 1 - column : column)] = value;
            }
        }
    }
    return wide;
}

/** Resize the rows alone: planes (3, size, width). */
function halfway(pixels, width, height, size, down) {
    const planes = new Float32Array(3 * size * width);
    const value = (row, column, channel) => {
        const start = 4 * (row * width + column);
        const alpha = pixels[start + 3] / 255;
        return 1 - alpha + (alpha * pixels[start + channel]) / 255;
    };
    for (let channel = 0; channel < 3; channel += 1) {
        for (let row = 0; row < size; row += 1) {
            const { before, after, share } = down[row];
            for (let column = 0; column < width; column += 1) {
                const first = value(before, column, channel);
                const mixed = share ? (1 - share) * first + share * value(after, column, channel) : first;
                planes[(channel * size + row) * width + column] = mixed;
            }
        }
    }
    return planes;
}

/** List for each new pixel the two old ones it lies between, by their centres, and its share of the second. */
function places(count, size) {
    return Array.from({ length: size }, (_, index) => {
        const place = count === size ? index : Math.max((index + 0.5) * (count / size) - 0.5, 0);
        const before = Math.floor(place);
        return { before, after: Math.min(before + 1, count - 1), share: Math.fround(place - before) };
    });
}

/** Convert planes (3, size, size) in [0, 1] to pixels (RGBA bytes). */
export function toPixels(planes, size) {
    const pixels = new Uint8ClampedArray(4 * size * size);
    const area = size * size;
    for (let place = 0; place < area; place += 1) {
        pixels[4 * place] = 255 * planes[place];
        pixels[4 * place + 1] = 255 * planes[area + place];
        pixels[4 * place + 2] = 255 * planes[2 * area + place];
        pixels[4 * place + 3] = 255;
    }
    return pixels;
}

/** Return the largest difference between two lists of numbers. */
export function largestDifference(first, second) {
    return first.reduce((most, value, index) => Math.max(most, Math.abs(value - second[index])), 0);
}

/** Return the square of a picture's middle, `share` of its shorter side: {x, y, side} in pixels. */
export function middleSquare(width, height, share = 1) {
    const side = Math.max(1, Math.round(Math.min(width, height) * share));
    return { x: Math.floor((width - side) / 2), y: Math.floor((height - side) / 2), side };
}
