/** The CUDA that each branch of the NVIDIA driver came with, newest first (NVIDIA's release notes). */
const CUDA_OF_BRANCH: readonly (readonly [branch: number, cuda: string])[] = [
  [590, "13.1"],
  [580, "13.0"],
  [575, "12.9"],
  [570, "12.8"],
  [565, "12.7"],
  [560, "12.6"],
  [555, "12.5"],
  [550, "12.4"],
  [545, "12.3"],
  [535, "12.2"],
  [530, "12.1"],
  [525, "12.0"],
  [520, "11.8"],
  [515, "11.7"],
  [510, "11.6"],
  [495, "11.5"],
  [470, "11.4"],
  [465, "11.3"],
  [460, "11.2"],
  [455, "11.1"],
  [450, "11.0"],
  [440, "10.2"],
  [418, "10.1"],
  [410, "10.0"],
];

/** The newest CUDA that a driver runs, by its version; what `nvidia-smi` itself says is to be preferred. */
export function cudaOfDriver(driver: string): string | undefined {
  const branch = Number.parseInt(driver, 10);
  return CUDA_OF_BRANCH.find(([least]) => branch >= least)?.[1];
}
