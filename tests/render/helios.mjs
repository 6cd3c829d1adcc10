#!/usr/bin/env node
// The two commands of Helios' CLI that a job spec holds, over the published renderer (the CLI itself is not on npm):
//   helios render COMPOSITION -o FILE [--start-frame N] [--frame-count N] [--width N] [--height N] [--fps N]
//                 [--duration S] [--quality CRF] [--mode canvas|dom] [--audio-codec NAME] [--video-codec NAME]
//   helios merge OUTPUT INPUT...
// The work is the real one: Node, a browser, ffmpeg. PUPPETEER_EXECUTABLE_PATH names the browser; ffmpeg is the one
// found in PATH.
import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import {parseArgs} from 'node:util';

import {concatenateVideos, RenderOrchestrator} from '@helios-project/renderer';

const ffmpegPath = 'ffmpeg';
const text = {type: 'string'};
const options = {
  output: {type: 'string', short: 'o', default: 'output.mp4'},
  width: {type: 'string', default: '1920'},
  height: {type: 'string', default: '1080'},
  fps: {type: 'string', default: '30'},
  duration: {type: 'string', default: '1'},
  mode: {type: 'string', default: 'canvas'},
  quality: text,
  'start-frame': text,
  'frame-count': text,
  'audio-codec': text,
  'video-codec': text,
};

function number(name, value) {
  if (value === undefined) return undefined;
  const parsed = Number.parseInt(value, 10);
  if (Number.isNaN(parsed)) throw new Error(`${name} must be a valid number, found ${value}`);
  return parsed;
}

async function render(composition, flags) {
  if (!composition) throw new Error('no composition given');
  const url = composition.startsWith('http') ? composition : pathToFileURL(resolve(composition)).href;
  await RenderOrchestrator.render(url, resolve(flags.output), {
    width: number('width', flags.width),
    height: number('height', flags.height),
    fps: number('fps', flags.fps),
    durationInSeconds: number('duration', flags.duration),
    crf: number('quality', flags.quality),
    startFrame: number('start-frame', flags['start-frame']),
    frameCount: number('frame-count', flags['frame-count']),
    mode: flags.mode,
    audioCodec: flags['audio-codec'],
    videoCodec: flags['video-codec'],
    concurrency: 1,
    ffmpegPath,
    browserConfig: {headless: true, executablePath: process.env.PUPPETEER_EXECUTABLE_PATH || undefined},
  });
  console.log('Render complete.');
}

async function merge(output, inputs) {
  if (!output || inputs.length === 0) throw new Error('no input files given');
  await concatenateVideos(inputs.map((input) => resolve(input)), resolve(output), {ffmpegPath});
  console.log('Merge complete.');
}

const [command, ...rest] = process.argv.slice(2);
try {
  const {values, positionals} = parseArgs({args: rest, options, allowPositionals: true});
  if (command === 'render') {
    await render(positionals[0], values);
  } else if (command === 'merge') {
    await merge(positionals[0], positionals.slice(1));
  } else {
    throw new Error(`unknown command ${command ?? '(none)'}: expected render or merge`);
  }
} catch (error) {
  console.error('Failed:', error.message);
  process.exit(1);
}
