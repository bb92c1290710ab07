/**
 * Manifests of the data sets: where each comes from, under which licence, and what its bytes must hash to. The files
 * themselves are not part of the project. `mirror` is the path under the folder that ASSAY_DATA names.
 */

/** One file of data. */
export interface DatasetManifest {
  /** The name used in code and on the command line. */
  name: string;
  /** What it is, in one line. */
  about: string;
  /** Where `assay data pull` fetches it; null when it can only come from a mirror (then `source` says why). */
  address: string | null;
  /** Origin: repository, commit and path, or package. */
  source: string;
  licence: string;
  /** The licence allows handing copies on. */
  redistribute: boolean;
  bytes: number;
  sha256: string;
  /** Path under the mirror folder and under the local cache. */
  mirror: string;
  /** Which parts of the project use it. */
  users: readonly string[];
}

/** Address of a file in a public repository at a commit. */
const raw = (repository: string, commit: string, path: string): { address: string; source: string } => ({
  address: `https://raw.githubusercontent.com/${repository}/${commit}/${path}`,
  source: `${repository} @ ${commit}: ${path}`,
});
const mirrorOnly = (source: string): { address: null; source: string } => ({ address: null, source });

export const manifests: readonly DatasetManifest[] = [
  {
    name: 'tiny-shakespeare',
    about: 'Plays of Shakespeare as one text, for byte language models',
    ...raw('karpathy/char-rnn', '6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e', 'data/tinyshakespeare/input.txt'),
    licence: 'text: public domain; repository: MIT',
    redistribute: true,
    bytes: 1115394,
    sha256: '86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed',
    mirror: 'text/tinyshakespeare.txt',
    users: ['lib/papers/mamba', 'language models of every block'],
  },
  {
    name: 'wikitext2-test',
    about: 'WikiText-2 test split, the version with <unk>',
    ...raw('pytorch/examples', '77f55b9121', 'word_language_model/data/wikitext-2/test.txt'),
    licence: 'Wikipedia text, CC BY-SA (the repository gives no version)',
    redistribute: true,
    bytes: 1256449,
    sha256: 'd790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0',
    mirror: 'text/wikitext2_test.txt',
    users: ['perplexity tables'],
  },
  {
    name: 'wikitext2-valid',
    about: 'WikiText-2 validation split, the version with <unk>',
    ...raw('pytorch/examples', '77f55b9121', 'word_language_model/data/wikitext-2/valid.txt'),
    licence: 'Wikipedia text, CC BY-SA (the repository gives no version)',
    redistribute: true,
    bytes: 1121681,
    sha256: 'f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8',
    mirror: 'text/wikitext2_valid.txt',
    users: ['early stopping', 'calibration of quantisation'],
  },
  {
    name: 'lambda-phage',
    about: 'Genome of phage lambda, 48,502 bases',
    ...mirrorOnly(
      'Debian 12 package bowtie2-examples 2.5.0-3: lambda_virus.fa.gz, unpacked (NCBI NC_001416); other servers wrap its lines differently',
    ),
    licence: 'sequence: public domain',
    redistribute: true,
    bytes: 49270,
    sha256: '0a04f81952deb68c204e8ae67e0573cb97d348f18ab1b527630d57c294028cf5',
    mirror: 'seq/lambda_phage_NC_001416.fa',
    users: ['genomic language models', 'copying and induction over DNA'],
  },
  {
    name: 'digits',
    about: '1,797 images of 8 x 8 pixels as sequences of 64 steps',
    ...raw('scikit-learn/scikit-learn', '1.9.1', 'sklearn/datasets/data/digits.csv.gz'),
    licence: 'UCI data CC BY 4.0; package BSD-3-Clause',
    redistribute: true,
    bytes: 57523,
    sha256: '09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22',
    mirror: 'seq/sklearn_digits.csv.gz',
    users: ['sequential image classification'],
  },
  {
    name: 'chinchilla-points',
    about: '245 points (N, C, loss) read off a figure of arXiv 2203.15556',
    ...raw('epoch-research/analyzing-chinchilla', '9225883742', 'data/svg_extracted_data.csv'),
    licence: 'none stated (numbers read off a figure)',
    redistribute: false,
    bytes: 23224,
    sha256: '193478df4e90f040016431996c45682659306840ecdadf83cfb9cd5ca0aa1b30',
    mirror: 'scaling/chinchilla_epoch_svg_extracted.csv',
    users: ['lib/families/scaling-laws'],
  },
  {
    name: 'overtraining-grid',
    about: '104 models, 11 M to 6.9 B parameters, three corpora',
    ...mirrorOnly('mlfoundations/scaling @ a003c49137: exp_data/models/*.json, reshaped into one table'),
    licence: 'MIT',
    redistribute: true,
    bytes: 17196,
    sha256: 'cb7b0b0c530c2c293726cff05f7b72c241e17d4d66aa8d9f2b61480e8799a7ea',
    mirror: 'scaling/gadre_overtraining_104.csv',
    users: ['lib/families/scaling-laws'],
  },
  {
    name: 'pythia-zeroshot',
    about: '16 Pythia models at 27 steps, zero-shot results',
    ...mirrorOnly(
      'EleutherAI/pythia @ a19eecb807: evals/pythia-v1/*/zero-shot/*_step*.json, reshaped into one table',
    ),
    licence: 'Apache-2.0',
    redistribute: true,
    bytes: 43110,
    sha256: '7d3c64e546178aa1845d53af29a891fb50616b8f8af50b08b6b68b37a530c2f4',
    mirror: 'scaling/pythia_v1_zeroshot.csv',
    users: ['observational scaling', 'emergence plots'],
  },
  {
    name: 'obs-base-llm',
    about: 'Benchmark results of public base models',
    ...raw('ryoungj/ObsScaling', '4d6e1e43fd', 'eval_results/base_llm_benchmark_eval.csv'),
    licence: 'Apache-2.0',
    redistribute: true,
    bytes: 28155,
    sha256: '511996815735a4c46251dc585dcc525e370d148201f86561e6f927f9df2d0db8',
    mirror: 'scaling/obs_base_llm_benchmark_eval.csv',
    users: ['observational scaling'],
  },
  {
    name: 'obs-base-llm-emergent',
    about: 'Results of public base models on tasks called emergent',
    ...raw('ryoungj/ObsScaling', '4d6e1e43fd', 'eval_results/base_llm_emergent_capability_eval.csv'),
    licence: 'Apache-2.0',
    redistribute: true,
    bytes: 7984,
    sha256: 'a156beee73c39b7833c3c53535c473939105512d85e90b0143be7325e516ef7c',
    mirror: 'scaling/obs_base_llm_emergent_capability_eval.csv',
    users: ['observational scaling'],
  },
  {
    name: 'etth1',
    about: 'Electricity transformer temperatures, hourly; ship verbatim, normalise and split at run time',
    ...raw('zhouhaoyi/ETDataset', '1d16c8f4f9', 'ETT-small/ETTh1.csv'),
    licence: 'CC BY-ND 4.0',
    redistribute: true,
    bytes: 2589657,
    sha256: 'f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066',
    mirror: 'timeseries/ETTh1.csv',
    users: ['long-horizon forecasting'],
  },
  {
    name: 'exchange-rate',
    about: 'Daily exchange rates of eight currencies, 1990 to 2016',
    ...raw('laiguokun/multivariate-time-series-data', '7f402f185c', 'exchange_rate/exchange_rate.txt.gz'),
    licence: 'none stated (public daily rates)',
    redistribute: false,
    bytes: 177142,
    sha256: '6a4fbb561dcdee43f071a83badbeec9223a335552278348656738b556f1c2e9d',
    mirror: 'timeseries/exchange_rate.txt.gz',
    users: ['long-horizon forecasting'],
  },
  {
    name: 'tiny-rwkv7',
    about: 'Trained byte-level RWKV-7 of 834 K parameters, f16',
    ...raw('RWKV/rwkv.cpp', '4358e709ab', 'tests/tiny-rwkv-7v0-834K-FP16.bin'),
    licence: 'MIT',
    redistribute: true,
    bytes: 1702508,
    sha256: '3a7eef47b3d6c7f32d28c490486b08b4dd6c826d867394af12bd2a22749ff37f',
    mirror: 'checkpoints/tiny-rwkv-7v0-834K-FP16.bin',
    users: ['lib/families/rwkv'],
  },
  {
    name: 'tiny-rwkv7-logits',
    about: 'Expected logits of tiny-rwkv7 after its prompt',
    ...raw('RWKV/rwkv.cpp', '4358e709ab', 'tests/expected-logits-7v0-834K.bin'),
    licence: 'MIT',
    redistribute: true,
    bytes: 1024,
    sha256: '1171f8ddfd45839ec402af55e4859155da5a0f356868a9a7f5e82d40d608d553',
    mirror: 'checkpoints/expected-logits-7v0-834K.bin',
    users: ['lib/families/rwkv'],
  },
  {
    name: 'tiny-rwkv5',
    about: 'Trained byte-level RWKV-5.2 of 730 K parameters, f16',
    ...raw('RWKV/rwkv.cpp', '4358e709ab', 'tests/tiny-rwkv-5v2-730K-FP16.bin'),
    licence: 'MIT',
    redistribute: true,
    bytes: 1496973,
    sha256: 'a7969539d86e61093eb938d2add48f61281204be1e18f7f1e612c3d1e69232c5',
    mirror: 'checkpoints/tiny-rwkv-5v2-730K-FP16.bin',
    users: ['lib/families/rwkv'],
  },
  {
    name: 'tiny-rwkv5-logits',
    about: 'Expected logits of tiny-rwkv5 after its prompt',
    ...raw('RWKV/rwkv.cpp', '4358e709ab', 'tests/expected-logits-5v2-730K.bin'),
    licence: 'MIT',
    redistribute: true,
    bytes: 1024,
    sha256: '7fdb876bcdcdf0e73aef2ff2655a8b3efc8c13a471e875a376fbd0c5dbd2f403',
    mirror: 'checkpoints/expected-logits-5v2-730K.bin',
    users: ['lib/families/rwkv'],
  },
  {
    name: 'rwkv-vocabulary',
    about: 'Vocabulary of the RWKV trie tokenizer, 65,529 entries',
    ...raw('BlinkDL/RWKV-LM', '524481d509', 'RWKV-v7/rwkv_vocab_v20230424.txt'),
    licence: 'Apache-2.0',
    redistribute: true,
    bytes: 1093733,
    sha256: 'e6dee3d4e31b4d5c40ac99508ac6c701ceef4bed681bf2167ce9a908552bca89',
    mirror: 'tokenizers/rwkv_vocab_v20230424.txt',
    users: ['trie tokenizer lesson'],
  },
];
